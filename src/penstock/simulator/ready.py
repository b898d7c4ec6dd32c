"""What a simulation says when its cameras can be connected to: one JSON line, for programs that started it."""

import msgspec


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


class Ready(msgspec.Struct, frozen=True):
    cameras: tuple[ReadyCamera, ...]


def encode_ready(ready: Ready) -> str:
    """One line."""
    return msgspec.json.encode(ready).decode()


def decode_ready(line: str | bytes) -> Ready:
    """Raises ValueError for anything else."""
    return msgspec.json.decode(line, type=Ready)
