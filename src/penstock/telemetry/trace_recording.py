"""One trace as the text of a JSON file that is at once a Perfetto timeline and a recording to be replayed.

The file is Chrome's trace format; `traceEvents` is written as the frames pass. What a replay needs is gathered
meanwhile, compressed, and comes after it, under the key `penstock`:

    version       1; raised where a reader of this one would misread it
    run, host     ids
    clock         {clock_id, mono_ns, utc_ns}: one reading of both clocks; all instants are of this monotonic clock
    window        {from_ns, until_ns}: frames decoded in it are here, with all that became of them
    cameras       [{camera, process, lossless}]
    lanes         [{lane, camera, model, executor, max_fps, min_fps, budget_ns, priority, weight, gated, shadow,
                  requires: [signal], crops_of: model or empty}]; `executor` is a name, empty where none runs the model
    executors     [{executor, device, streams, models}]
    rules         [name]
    arrivals      {fields: [name, …], rows: [[number, …], …]}; rows name cameras, lanes and rules by their places in the
                  lists above and stand in the order in which their process wrote them. Fields:
                  camera, session, seq, index, capture_ns, received_ns, decoded_ns
    views         camera, index, views, asked_ns, begun_ns, made_ns
    analysed      lane, late, call, session, seq, index, capture_ns, decoded_ns, asked_ns, made_ns, submitted_ns,
                  received_ns, started_ns, finished_ns, taken_ns
    ended         lane, first_index, count, fate (a word), at_ns
    plans         at_ns, took_ns, asks
    grants        lane, step (a word), fps, at_ns
    events        camera, rule, session, seq, at_ns
    complete      false where the rows outgrew the memory that a trace may take (the timeline goes on)

`otherData` is the last key, so that its end says that the file is whole: {frames, analysed, ended, under_way, missed,
not_drawn}; `missed` counts by process the records that were overwritten before they could be read.
"""

import zlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from penstock.contracts.fates import Fate
from penstock.contracts.traces import (
    EventConfirmed,
    FrameAnalysed,
    FrameDecoded,
    FramesEnded,
    GrantChanged,
    Planned,
    TraceRecord,
    ViewMade,
)
from penstock.telemetry.perfetto import Timeline
from penstock.telemetry.trace import TracedRun, TraceSummary, TraceWindow

VERSION = 1
KEPT_BYTES = 64 * 1024 * 1024
"""compressed rows; about five minutes of 64 cameras with three models each"""
SUMMARY_KEY = "otherData"

_CHUNK_BYTES = 256 * 1024
_TABLES: dict[type[TraceRecord], str] = {
    FrameDecoded: "arrivals",
    ViewMade: "views",
    FrameAnalysed: "analysed",
    FramesEnded: "ended",
    Planned: "plans",
    GrantChanged: "grants",
    EventConfirmed: "events",
}


class _Rows:
    """The rows of one table as compressed JSON text."""

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._compressor = zlib.compressobj(1)
        self._parts: list[bytes] = []
        self._begun = False
        self.kept_bytes = 0

    def add(self, record: TraceRecord) -> None:
        row = msgspec.json.encode(
            [value.label if isinstance(value, Fate) else value for value in msgspec.structs.astuple(record)]
        )
        self._keep(self._compressor.compress(b",\n" + row if self._begun else row))
        self._begun = True

    def text(self) -> Iterator[bytes]:
        """Once, at the end."""
        self._keep(self._compressor.flush())
        yield b'{"fields":' + msgspec.json.encode(self._fields) + b',"rows":['
        decompressor = zlib.decompressobj()
        for part in self._parts:
            rest = part
            while rest:
                yield decompressor.decompress(rest, _CHUNK_BYTES)
                rest = decompressor.unconsumed_tail
        yield decompressor.flush()
        yield b"]}"

    def _keep(self, part: bytes) -> None:
        if part:
            self._parts.append(part)
            self.kept_bytes += len(part)


class TraceRecording:
    """One trace from its first byte to its last; pure, used by one thread."""

    def __init__(self, run: TracedRun, from_ns: int, until_ns: int, *, kept_bytes: int = KEPT_BYTES) -> None:
        self.window = TraceWindow(run, from_ns, until_ns)
        self._run = run
        self._kept_bytes = kept_bytes
        self._timeline = Timeline(run)
        self._rows: dict[type[TraceRecord], _Rows] = {kind: _Rows(kind.__struct_fields__) for kind in _TABLES}
        self._complete = True

    def begin(self) -> bytes:
        """The file's head."""
        return b'{"displayTimeUnit":"ms","traceEvents":[\n' + ",\n".join(self._timeline.names()).encode()

    def take(self, records: Iterable[TraceRecord]) -> bytes:
        """The text of more records, empty where none of them belongs."""
        drawn: list[str] = []
        for record in records:
            admitted = self.window.admit(record)
            if admitted is None:
                continue
            drawn += self._timeline.draw(admitted)
            if self._complete:
                self._rows[type(admitted)].add(admitted)
        self._complete = self._complete and sum(rows.kept_bytes for rows in self._rows.values()) <= self._kept_bytes
        return "".join(f",\n{event}" for event in drawn).encode()

    def end(self, missed: Mapping[str, int]) -> Iterator[bytes]:
        """The file's rest: the recording, and what it holds."""
        yield b'\n],\n"penstock":{'
        for name, value in self._facts().items():
            yield msgspec.json.encode(name) + b":" + msgspec.json.encode(value) + b",\n"
        for kind, rows in self._rows.items():
            yield msgspec.json.encode(_TABLES[kind]) + b":"
            yield from rows.text()
            yield b",\n"
        yield b'"complete":' + msgspec.json.encode(self._complete) + b"},\n"
        summary = msgspec.to_builtins(self.summary(missed)) | {"not_drawn": self._timeline.not_drawn}
        yield f'"{SUMMARY_KEY}":'.encode() + msgspec.json.encode(summary) + b"}\n"

    def summary(self, missed: Mapping[str, int]) -> TraceSummary:
        return self.window.summary(missed)

    def _facts(self) -> dict[str, object]:
        run = self._run
        executors = run.executors_of_lanes()
        return {
            "version": VERSION,
            "run": run.run_id,
            "host": run.host_id,
            "clock": run.clock,
            "window": {"from_ns": self.window.from_ns, "until_ns": self.window.until_ns},
            "cameras": run.cameras,
            "lanes": [
                {
                    "lane": lane.name,
                    "camera": lane.camera,
                    "model": lane.model,
                    "executor": run.executors[executor].executor if executor >= 0 else "",
                    "max_fps": lane.max_fps,
                    "min_fps": lane.min_fps,
                    "budget_ns": lane.budget_ns,
                    "priority": lane.priority,
                    "weight": lane.weight,
                    "gated": lane.gated,
                    "shadow": lane.shadow,
                    "requires": [requirement.signal for requirement in lane.requires],
                    "crops_of": lane.crops.of if lane.crops is not None else "",
                }
                for lane, executor in zip(run.lanes, executors, strict=True)
            ],
            "executors": [
                {"executor": one.executor, "device": one.device, "streams": one.streams, "models": one.models}
                for one in run.executors
            ],
            "rules": run.rules,
        }
