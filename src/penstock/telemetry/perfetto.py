"""Draws trace records as the events of a timeline: processes, their rows, slices, arrows from stage to stage, fates.

Each ingest process has a row per camera (a frame from its capture to its decoding) and one for the camera's views; the
engine one per lane (wait, view, send, queue, compute, result of one frame after another), one for its scheduling
decisions, the capacity plan and events; each executor one per call that runs at the same time. What overlaps gets a
second row. An arrow follows each analysed frame: decode → view → compute → result.
"""

import itertools
from collections.abc import Mapping
from typing import TypeVar

from penstock.base.clock import NS_PER_S
from penstock.contracts.traces import (
    EventConfirmed,
    FrameAnalysed,
    FrameDecoded,
    FramesEnded,
    GrantChanged,
    Planned,
    TraceRecord,
    ViewMade,
    frame_trace_id,
)
from penstock.telemetry.perfetto_tracks import Tracks, flow_event, instant_event, slice_event
from penstock.telemetry.trace import TracedRun

REMEMBERED = 32_768
"""frames, views and calls each, to which an arrow may still lead"""
_LONGEST_ARRIVAL_NS = 60 * NS_PER_S
_PLANS, _CAPACITY, _EVENTS = "scheduling", "capacity plan", "events"

_Key = TypeVar("_Key")
_Place = tuple[int, int, int]
"""pid, tid and an instant within a slice"""


class Timeline:
    """Turns records, causes before effects, into events; remembers a bounded part of what it has drawn."""

    def __init__(self, run: TracedRun) -> None:
        self._run = run
        self._zero_ns = run.clock.mono_ns
        self._tracks = Tracks()
        self._pids: dict[str, int] = {}
        self._camera_of = run.cameras_of_lanes()
        self._executor_of = run.executors_of_lanes()
        self._frames: dict[tuple[int, int], _Place] = {}
        self._views: dict[tuple[int, int], _Place] = {}
        self._calls: dict[tuple[int, int, int], _Place] = {}
        self._arrows = itertools.count(1)
        for name in dict.fromkeys(
            [
                *(camera.process for camera in run.cameras),
                run.engine,
                *(executor.process for executor in run.executors),
            ]
        ):
            self._pids[name] = len(self._pids) + 1
            self._tracks.process(self._pids[name], name)
        for camera in run.cameras:
            self._tracks.declare(self._pids[camera.process], camera.camera)
            self._tracks.declare(self._pids[camera.process], _views_row(camera.camera))
        engine = self._pids[run.engine]
        self._plans, self._capacity, self._events = (
            self._tracks.declare(engine, name) for name in (_PLANS, _CAPACITY, _EVENTS)
        )
        self._lanes = [self._tracks.declare(engine, lane.name) for lane in run.lanes]

    @property
    def not_drawn(self) -> int:
        """Slices left out because too many lay one over another."""
        return self._tracks.crowded

    def draw(self, record: TraceRecord) -> list[str]:
        """The events of one record, with those that name the rows it needed first."""
        match record:
            case FrameDecoded():
                drawn = self._decoded(record)
            case ViewMade():
                drawn = self._view(record)
            case FrameAnalysed():
                drawn = self._analysed(record)
            case FramesEnded():
                of = {"first": record.first_index, "frames": record.count}
                drawn = [self._mark(self._lanes[record.lane], record.fate.label, record.at_ns, of)]
            case Planned():
                drawn = self._planned(record)
            case GrantChanged():
                lane = self._run.lanes[record.lane].name if record.lane < len(self._run.lanes) else "?"
                fps = {"fps": round(record.fps, 3)}
                drawn = [self._mark(self._capacity, f"{lane} {record.step.value}", record.at_ns, fps)]
            case EventConfirmed():
                drawn = self._confirmed(record)
        return self.names() + drawn

    def names(self) -> list[str]:
        """Events that name processes and rows that are new since the last call."""
        new, self._tracks.events = self._tracks.events, []
        return new

    def _decoded(self, record: FrameDecoded) -> list[str]:
        camera = self._run.cameras[record.camera]
        pid = self._pids[camera.process]
        received = self._at(min(record.received_ns, record.decoded_ns))
        capture, end = self._at(record.capture_ns), _beyond(received, self._at(record.decoded_ns))
        begin = capture if not camera.lossless and 0 <= received - capture < _LONGEST_ARRIVAL_NS else received
        tid = self._tracks.place(pid, camera.camera, begin, end)
        if tid is None:
            return []
        args = {
            "index": record.index,
            "seq": record.seq,
            "session": str(record.session),
            "trace_id": frame_trace_id(record.session, record.seq),
        }
        _remember(self._frames, (record.camera, record.index), (pid, tid, end - 1))
        return [
            slice_event(pid, tid, "frame", begin, end, args),
            slice_event(pid, tid, "decode", received, end, {}),
        ]

    def _view(self, record: ViewMade) -> list[str]:
        camera = self._run.cameras[record.camera]
        pid = self._pids[camera.process]
        asked = self._at(min(record.asked_ns, record.begun_ns))
        begun, end = self._at(record.begun_ns), _beyond(self._at(record.begun_ns), self._at(record.made_ns))
        tid = self._tracks.place(pid, _views_row(camera.camera), asked, end)
        if tid is None:
            return []
        _remember(self._views, (record.camera, record.made_ns), (pid, tid, begun))
        return [
            slice_event(pid, tid, "view", asked, end, {"index": record.index, "views": record.views}),
            slice_event(pid, tid, "make", begun, end, {}),
        ]

    def _analysed(self, record: FrameAnalysed) -> list[str]:
        lane = self._run.lanes[record.lane]
        pid = self._pids[self._run.engine]
        marks = stages(record)
        begin, end = self._at(marks[0][1]), _beyond(self._at(marks[0][1]), self._at(marks[-1][2]))
        tid = self._tracks.place(pid, lane.name, begin, end)
        if tid is None:
            return []
        args = {
            "index": record.index,
            "late": record.late,
            "age_ms": (record.taken_ns - record.capture_ns) / 1e6,
            "trace_id": frame_trace_id(record.session, record.seq),
        }
        drawn = [slice_event(pid, tid, "analysed", begin, end, args)]
        drawn += [slice_event(pid, tid, name, self._at(first), self._at(last), {}) for name, first, last in marks]
        way = [
            self._frames.get((self._camera_of[record.lane], record.index)),
            self._views.get((self._camera_of[record.lane], record.made_ns)),
            self._call(record, lane.model, marks, drawn),
            (pid, tid, end - 1),
        ]
        return drawn + self._arrow([place for place in way if place is not None])

    def _call(
        self, record: FrameAnalysed, model: str, marks: list[tuple[str, int, int]], drawn: list[str]
    ) -> _Place | None:
        """The call on its executor's row: drawn once for all frames that it analysed."""
        number = self._executor_of[record.lane]
        if number < 0:
            return None
        key = (number, record.call, record.started_ns)
        if key in self._calls:
            return self._calls[key]
        pid = self._pids[self._run.executors[number].process]
        _, first, last = next(mark for mark in marks if mark[0] == "compute")
        begin, end = self._at(first), _beyond(self._at(first), self._at(last))
        tid = self._tracks.place(pid, "calls", begin, end)
        if tid is None:
            return None
        drawn += self.names()
        drawn.append(slice_event(pid, tid, model, begin, end, {"call": record.call}))
        _remember(self._calls, key, (pid, tid, begin))
        return self._calls[key]

    def _arrow(self, way: list[_Place]) -> list[str]:
        """From the first place to the last; a place that lies before the one that it should follow is passed over."""
        stops = way[:1]
        for place in way[1:]:
            if place[2] >= stops[-1][2]:
                stops.append(place)
        if len(stops) < 2:
            return []
        number = next(self._arrows)
        phases = ["s", *"t" * (len(stops) - 2), "f"]
        return [flow_event(phase, pid, tid, at, number) for phase, (pid, tid, at) in zip(phases, stops, strict=True)]

    def _planned(self, record: Planned) -> list[str]:
        pid = self._pids[self._run.engine]
        begin = self._at(record.at_ns)
        end = _beyond(begin, begin + record.took_ns)
        tid = self._tracks.place(pid, _PLANS, begin, end)
        return [] if tid is None else [slice_event(pid, tid, "plan", begin, end, {"asks": record.asks})]

    def _confirmed(self, record: EventConfirmed) -> list[str]:
        run = self._run
        rule = run.rules[record.rule] if record.rule < len(run.rules) else "?"
        args = {"camera": run.cameras[record.camera].camera if record.camera < len(run.cameras) else "?"}
        if record.session:
            args["trace_id"] = frame_trace_id(record.session, record.seq)
        return [self._mark(self._events, rule, record.at_ns, args, "p")]

    def _mark(self, tid: int, name: str, at_ns: int, args: Mapping[str, object], scope: str = "t") -> str:
        return instant_event(self._pids[self._run.engine], tid, name, self._at(at_ns), args, scope)

    def _at(self, ns: int) -> int:
        return ns - self._zero_ns


def stages(record: FrameAnalysed) -> list[tuple[str, int, int]]:
    """Name, begin and end of a frame's stages after its decoding, in order and without gaps.

    An instant that lies before the one it should follow (a view may be asked for before its frame was decoded, another
    process's clock reading may cross ours) is moved up to it.
    """
    found = []
    begin_ns = record.decoded_ns
    for name, until_ns in (
        ("wait", record.asked_ns),
        ("view", record.made_ns),
        ("send", record.submitted_ns),
        ("queue", record.started_ns),
        ("compute", record.finished_ns),
        ("result", record.taken_ns),
    ):
        # No stage lasts beyond the whole: a torn or foreign instant must not push the row into the future.
        end_ns = min(max(until_ns, begin_ns), max(record.taken_ns, begin_ns))
        found.append((name, begin_ns, end_ns))
        begin_ns = end_ns
    return found


def _views_row(camera: str) -> str:
    return f"{camera} views"


def _beyond(begin: int, end: int) -> int:
    """A slice lasts a nanosecond at least: an arrow needs one to begin or end in."""
    return max(end, begin + 1)


def _remember(places: dict[_Key, _Place], key: _Key, place: _Place) -> None:
    places[key] = place
    if len(places) > REMEMBERED:
        del places[next(iter(places))]
