"""What a simulation says when its cameras can be connected to: one JSON line, for programs that started it."""

import msgspec

from penstock.base.clock import NS_PER_S


class ReadyCamera(msgspec.Struct, frozen=True):
    """One camera, as others need to know it."""

    name: str
    url: str
    sub_url: str = ""
    """empty where it has one stream"""
    truth: str = ""
    """file of what is true of its scene; empty for a clip of somebody's own"""
    epoch_ns: int = 0
    """monotonic: when the first picture of a loop was captured; picture n of each loop is n intervals later"""
    epoch_utc_ns: int = 0
    loop_ns: int = 0

    def captured_ns(self, picture: int, fps: int, before_ns: int) -> int:
        """When picture `picture` of the loop (from 0) was captured last, not after `before_ns`; monotonic."""
        first_ns = self.epoch_ns + picture * NS_PER_S // fps
        return first_ns + (before_ns - first_ns) // self.loop_ns * self.loop_ns


class Ready(msgspec.Struct, frozen=True):
    cameras: tuple[ReadyCamera, ...]


def encode_ready(ready: Ready) -> str:
    """One line."""
    return msgspec.json.encode(ready).decode()


def decode_ready(line: str | bytes) -> Ready:
    """Raises ValueError for anything else."""
    return msgspec.json.decode(line, type=Ready)
