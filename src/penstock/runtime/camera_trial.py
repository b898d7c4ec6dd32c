"""Listens to one camera for a few seconds as ingest would: what it sends, and what decoding that takes."""

import resource

import av
import msgspec

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.ids import new_session_id
from penstock.contracts.identity import Role
from penstock.contracts.packets import StreamInfo
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import CameraSpec, RunSpec, SourceMode
from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.decoder import Decoder
from penstock.ingest.intake import Intake, Taken
from penstock.runtime.cost_book import KnownCamera
from penstock.sources.opening import open_source

LISTEN_NS = 3 * NS_PER_S
FEWEST_UNITS = 5
_BASE = (1, 90_000)


class _Heard:
    """What one session has shown so far."""

    def __init__(self) -> None:
        self.units = 0
        self._keyframes: list[int] = []
        """which of the units they were"""
        self.disposable = 0
        self.decoded = 0
        self.size_px = (0, 0)
        self._first_ns: int | None = None
        self._last_ns = 0
        self._decoder: Decoder | None = None
        self._info: StreamInfo | None = None
        self._books = UnitBooks(CounterBlock(memoryview(bytearray(WORDS * WORD_BYTES)), WORDS))

    def take(self, taken: Taken) -> None:
        unit = taken.unit
        self.units += 1
        if unit.keyframe:
            self._keyframes.append(self.units)
        self.disposable += unit.disposable
        # By media time: what a camera had kept comes at once when it is connected.
        base = taken.info.time_base if unit.pts is not None else _BASE
        at_ns = unit.pts * base[0] * NS_PER_S // base[1] if unit.pts is not None else unit.received_ns
        self._first_ns = at_ns if self._first_ns is None else min(self._first_ns, at_ns)
        self._last_ns = max(self._last_ns, at_ns)
        if taken.picture is not None:
            self._saw(taken.picture)
        elif taken.packet is not None:
            if self._decoder is None or taken.info != self._info:
                self.close()
                self._decoder, self._info = Decoder(taken.info, self._books).open(), taken.info
            for _, picture in self._decoder.decode(taken.packet):
                self._saw(picture)

    def fps(self) -> float:
        """0 where fewer than two units came."""
        span_ns = self._last_ns - (self._first_ns or 0)
        return (self.units - 1) * NS_PER_S / span_ns if self.units > 1 and span_ns > 0 else 0.0

    def keyframe_fps(self) -> float:
        """From one keyframe to the next, where there were two: the part that was listened to begins with one."""
        found = self._keyframes
        if len(found) > 1:
            return self.fps() * (len(found) - 1) / (found[-1] - found[0])
        return self.fps() * len(found) / self.units

    def close(self) -> None:
        if self._decoder is not None:
            self._decoder.close()

    def _saw(self, picture: av.VideoFrame) -> None:
        self.decoded += 1
        self.size_px = (picture.width, picture.height)


def wait_camera_trial(spec: RunSpec, camera: CameraSpec, clock: Clock, for_ns: int = LISTEN_NS) -> KnownCamera:
    """Opens the camera's detect stream, listens for `for_ns` and closes it.

    Raises SourceError where it does not answer, or ends before its rate can be told. Processor time is that of the
    calling thread.
    """
    stream = camera.stream_with(Role.DETECT)
    if stream is None:
        raise SourceError(SourceFault.UNSUPPORTED, f"camera {camera.name} has no stream that is decoded")
    # A file read at full speed would say what this host can do, and not what the camera sends.
    stream = msgspec.structs.replace(stream, mode=SourceMode.LIVE)
    source = open_source(
        stream,
        host_id=spec.host_id,
        boot_id=spec.boot_id,
        run_id=spec.run_id,
        clock=clock,
        new_session=lambda: new_session_id(clock.utc_ns()),
    )
    session = source.wait_open()
    heard = _Heard()
    try:
        intake = Intake(session)
        until_ns = clock.now_ns() + for_ns
        cpu_began_ns = _thread_cpu_ns()
        while clock.now_ns() < until_ns or heard.units < FEWEST_UNITS:
            try:
                heard.take(intake.take(session.wait_read()))
            except SourceError as error:
                if heard.units < FEWEST_UNITS:
                    raise
                if error.fault is SourceFault.ENDED:
                    break
                raise
        cpu_ns = _thread_cpu_ns() - cpu_began_ns
    except ValueError as error:
        raise SourceError(SourceFault.UNSUPPORTED, f"{source.url}: {error}") from error
    finally:
        heard.close()
        session.close()
    fps = heard.fps()
    if not fps:
        raise SourceError(SourceFault.INVALID_DATA, f"{source.url}: its rate cannot be told from what it sent")
    return KnownCamera(
        name=camera.name,
        unit_fps=fps,
        keyframe_fps=heard.keyframe_fps(),
        disposable=heard.disposable / heard.units,
        unit_ns=cpu_ns / heard.decoded if heard.decoded else 0.0,
        width_px=heard.size_px[0],
        height_px=heard.size_px[1],
        utc_ns=clock.utc_ns(),
    )


def _thread_cpu_ns() -> int:
    usage = resource.getrusage(resource.RUSAGE_THREAD)
    return round((usage.ru_utime + usage.ru_stime) * NS_PER_S)
