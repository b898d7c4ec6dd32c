"""What the engine and ingest call as frames pass: a record each where somebody traces, one look at a word where not.

Callers name cameras, lanes and rules; numbers are looked up only for what is written. A name that the specification
does not have is written as `UNKNOWN`: a trace is no reason to end a run.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from penstock.contracts.capacity import LadderStep
from penstock.contracts.fates import Fate
from penstock.contracts.frames import FrameRef
from penstock.contracts.work import Outcome
from penstock.framebus import trace_records as wire
from penstock.framebus.trace_ring import TraceWriter

UNKNOWN = (1 << 32) - 1

_STEP_NUMBERS = {step: number for number, step in enumerate(wire.STEPS)}


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}


class IngestTrace(Protocol):
    """What one ingest process writes down; safe from any of its threads. Never waits."""

    def decoded(self, frame: FrameRef) -> None:
        """A picture came out of the decoder."""
        ...

    def view(self, frame: FrameRef, asked_ns: int, begun_ns: int, made_ns: int, views: int = 1) -> None:
        """Pixels were made of `frame`: asked for at `asked_ns`, begun and done after that. `made_ns` as in the view."""
        ...


class EngineTrace(Protocol):
    """What the engine writes down, in its loop. Never waits."""

    def analysed(
        self,
        lane: str,
        frame: FrameRef,
        outcome: Outcome,
        *,
        asked_ns: int,
        made_ns: int,
        submitted_ns: int,
        taken_ns: int,
        late: bool,
    ) -> None:
        """A model's result for `frame` was taken."""
        ...

    def fate(self, lane: str, first_index: int, count: int, fate: Fate, at_ns: int = 0) -> None:
        """`count` frames from `first_index` on ended otherwise; 0 where it is not known which they were. Without
        `at_ns`, now: the scheduler, where most fates are given, has no clock."""
        ...

    def planned(self, at_ns: int, took_ns: int, asks: int) -> None:
        """A scheduling decision began at `at_ns`."""
        ...

    def granted(self, lane: str, step: LadderStep, fps: float, at_ns: int) -> None:
        """The capacity plan gives `lane` something else than before."""
        ...

    def confirmed(self, camera: str, rule: str, frame: FrameRef | None, at_ns: int) -> None:
        """An event; `frame` is the one whose result decided it."""
        ...


class IngestTraceOff:
    """Writes nothing."""

    def decoded(self, frame: FrameRef) -> None:
        pass

    def view(self, frame: FrameRef, asked_ns: int, begun_ns: int, made_ns: int, views: int = 1) -> None:
        pass


class EngineTraceOff:
    """Writes nothing."""

    def analysed(
        self,
        lane: str,
        frame: FrameRef,
        outcome: Outcome,
        *,
        asked_ns: int,
        made_ns: int,
        submitted_ns: int,
        taken_ns: int,
        late: bool,
    ) -> None:
        pass

    def fate(self, lane: str, first_index: int, count: int, fate: Fate, at_ns: int = 0) -> None:
        pass

    def planned(self, at_ns: int, took_ns: int, asks: int) -> None:
        pass

    def granted(self, lane: str, step: LadderStep, fps: float, at_ns: int) -> None:
        pass

    def confirmed(self, camera: str, rule: str, frame: FrameRef | None, at_ns: int) -> None:
        pass


class IngestTraceWriter:
    """See `IngestTrace`."""

    def __init__(self, writer: TraceWriter, cameras: Iterable[str]) -> None:
        """`cameras` are all of the run, in the order of its specification."""
        self._write = writer.write
        self._armed = writer.armed
        self._cameras = _numbers(cameras)

    def decoded(self, frame: FrameRef) -> None:
        if frame.decoded_ns >= self._armed[0]:
            return
        stream = frame.id.stream
        body = wire.DECODED_BODY.pack(
            self._cameras.get(stream.camera, UNKNOWN),
            stream.session,
            frame.id.seq,
            frame.index,
            frame.capture.mono_ns,
            frame.received_ns,
            frame.decoded_ns,
        )
        self._write(wire.DECODED, body)

    def view(self, frame: FrameRef, asked_ns: int, begun_ns: int, made_ns: int, views: int = 1) -> None:
        if made_ns >= self._armed[0]:
            return
        camera = self._cameras.get(frame.id.stream.camera, UNKNOWN)
        self._write(wire.VIEW, wire.VIEW_BODY.pack(camera, frame.index, views, asked_ns, begun_ns, made_ns))


class EngineTraceWriter:
    """See `EngineTrace`."""

    def __init__(
        self,
        writer: TraceWriter,
        cameras: Iterable[str],
        lanes: Iterable[str],
        rules: Iterable[str],
        now_ns: Callable[[], int],
    ) -> None:
        """All of the run, in the order of its specification."""
        self._now_ns = now_ns
        self._write = writer.write
        self._armed = writer.armed
        self._cameras = _numbers(cameras)
        self._lanes = _numbers(lanes)
        self._rules = _numbers(rules)

    def analysed(
        self,
        lane: str,
        frame: FrameRef,
        outcome: Outcome,
        *,
        asked_ns: int,
        made_ns: int,
        submitted_ns: int,
        taken_ns: int,
        late: bool,
    ) -> None:
        if taken_ns >= self._armed[0]:
            return
        body = wire.ANALYSED_BODY.pack(
            self._lanes.get(lane, UNKNOWN),
            late,
            outcome.work_id,
            frame.id.stream.session,
            frame.id.seq,
            frame.index,
            frame.capture.mono_ns,
            frame.decoded_ns,
            asked_ns,
            made_ns,
            submitted_ns,
            outcome.received_ns,
            outcome.started_ns,
            outcome.finished_ns,
            taken_ns,
        )
        self._write(wire.ANALYSED, body)

    def fate(self, lane: str, first_index: int, count: int, fate: Fate, at_ns: int = 0) -> None:
        # A word that was never set spares the look at the clock.
        until_ns = self._armed[0]
        if not until_ns or (at_ns := at_ns or self._now_ns()) >= until_ns:
            return
        body = wire.ENDED_BODY.pack(self._lanes.get(lane, UNKNOWN), first_index, count, fate, at_ns)
        self._write(wire.ENDED, body)

    def planned(self, at_ns: int, took_ns: int, asks: int) -> None:
        if at_ns >= self._armed[0]:
            return
        self._write(wire.PLANNED, wire.PLANNED_BODY.pack(at_ns, took_ns, asks))

    def granted(self, lane: str, step: LadderStep, fps: float, at_ns: int) -> None:
        if at_ns >= self._armed[0]:
            return
        body = wire.GRANT_BODY.pack(self._lanes.get(lane, UNKNOWN), _STEP_NUMBERS[step], fps, at_ns)
        self._write(wire.GRANT, body)

    def confirmed(self, camera: str, rule: str, frame: FrameRef | None, at_ns: int) -> None:
        if at_ns >= self._armed[0]:
            return
        session, seq = (frame.id.stream.session, frame.id.seq) if frame is not None else (0, 0)
        numbers = self._cameras.get(camera, UNKNOWN), self._rules.get(rule, UNKNOWN)
        self._write(wire.EVENT, wire.EVENT_BODY.pack(*numbers, session, seq, at_ns))
