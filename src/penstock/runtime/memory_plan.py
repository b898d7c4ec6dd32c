"""What a run will take of memory, line by line, before anything of it is started.

Packets and views are bounds that the configuration sets; decoders, networks and processes are estimates from
measurements (see the constants), or what an earlier run measured. Everything is counted once, where it is shared too.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from penstock.base.units import format_size
from penstock.contracts.identity import Role
from penstock.contracts.specs import CameraSpec, ExecutorSpec, ModelSpec, RunSpec
from penstock.framebus.ring import ring_bytes
from penstock.ingest.held_bounds import MOST_BYTES as BACKLOG_BYTES
from penstock.ingest.held_bounds import MOST_PICTURES as KEPT_PICTURES
from penstock.models.backends.model_file import parts_of
from penstock.runtime import wiring
from penstock.runtime.cost_book import CostBook
from penstock.runtime.lossless import is_lossless

MIB = 1024 * 1024

# Proportional set sizes of a run on CPython 3.11, x86-64, without shared memory; one camera, one rule.
SUPERVISOR_BYTES = 49 * MIB
ENGINE_BYTES = 28 * MIB
RECORDER_BYTES = 33 * MIB
API_BYTES = 55 * MIB
INGEST_BYTES = 42 * MIB
EXECUTOR_BYTES = 28 * MIB
STATISTICS_TOUCHED_BYTES = 128 * 1024
"""of the megabyte that each process may publish in"""
LANE_TOUCHED_BYTES = 2 * 5 * 1024
"""of what the engine may publish of each lane, written in two places in turn"""

# Decoders of H.264 with their reference pictures and the newest decoded one: 6.7 MiB at 640×360, 16.8 at 1280×720,
# 21 at 1920×1080, 86 at 3840×2160: about 4 MiB and seven pictures.
DECODER_BYTES = 4 * MIB
DECODER_PICTURES = 7
ASSUMED_SIZE_PX = (1920, 1080)

# ONNX Runtime's libraries take 28 MiB; of five networks between 0.3 and 3.5 MiB, each took 3 times its file, and 10 to
# 60 MiB for each stream that runs it.
RUNTIME_BYTES = 28 * MIB
FILE_FACTOR = 3
STREAM_BYTES = 24 * MIB
PLUGIN_BYTES = 64 * MIB
"""a Python class with NumPy and one more package; what it really takes is known once it has run"""
MOTION_BYTES = MIB
NETWORK_VIEW_BYTES = 640 * 640 * 3
PLUGIN_VIEW_BYTES = 640 * 360 * 3
MOTION_VIEW_BYTES = 320 * 180


class MemoryLine(msgspec.Struct, frozen=True):
    """One part of the sum: `count` × `each_bytes`."""

    what: str
    count: int
    each_bytes: int
    basis: str
    """where the number comes from, as people read it"""
    lower: str = ""
    """what would make it less"""

    @property
    def total_bytes(self) -> int:
        return self.count * self.each_bytes


class MemoryPlan(msgspec.Struct, frozen=True):
    """The whole sum against the budget."""

    lines: tuple[MemoryLine, ...]
    budget_bytes: int
    """0 means no limit"""

    @property
    def total_bytes(self) -> int:
        return sum(line.total_bytes for line in self.lines)

    @property
    def fits(self) -> bool:
        return not self.budget_bytes or self.total_bytes <= self.budget_bytes

    def arithmetic(self) -> list[str]:
        """One text per line, the largest first, and the sum."""
        ordered = sorted(self.lines, key=lambda line: -line.total_bytes)
        width = max((len(line.what) for line in ordered), default=0)
        texts = []
        for line in ordered:
            product = f"{line.count} × {format_size(line.each_bytes)}, " if line.count > 1 else ""
            texts.append(f"{line.what:<{width}}  {format_size(line.total_bytes):>10}  ({product}{line.basis})")
        return [*texts, f"{'together':<{width}}  {format_size(self.total_bytes):>10}"]

    def refusal(self) -> str:
        """Why the run does not start, with the arithmetic and what to lower; only where it does not fit."""
        missing = self.total_bytes - self.budget_bytes
        advice = []
        for line in sorted(self.lines, key=lambda line: -line.total_bytes):
            if line.lower and line.lower not in advice:
                advice.append(line.lower)
        needed = format_size(-(-self.total_bytes // MIB) * MIB)
        first = (
            f"the run would need {format_size(self.total_bytes)} of memory, which is {format_size(missing)} more than "
            f"capacity.memory_budget, {format_size(self.budget_bytes)}:"
        )
        last = f"To make it fit: {'; '.join(advice[:3])}; or raise capacity.memory_budget to {needed}"
        return "\n".join([first, *(f"  {text}" for text in self.arithmetic()), last])


def memory_plan(spec: RunSpec, costs: CostBook) -> MemoryPlan:
    """Of a whole run, in processes of its own (threads of one process take less)."""
    lines = [line for camera in spec.cameras for line in camera_memory(spec, camera, costs)]
    for executor in spec.executors:
        lines += [line for model in executor.models for line in model_memory(model, executor, costs)]
    return MemoryPlan((*_grouped(lines), *fixed_memory(spec)), spec.memory_budget_bytes)


def camera_memory(spec: RunSpec, camera: CameraSpec, costs: CostBook) -> Iterator[MemoryLine]:
    """What one camera adds: packets kept, its decoder with what it may hold besides, the pages of its view pool."""
    for stream in camera.streams:
        size = ring_bytes(stream.ring_bytes, wiring.RING_ENTRIES)
        yield MemoryLine("packets kept in memory", 1, size, "buffer.size and its index", "lower buffer.size")
    if camera.stream_with(Role.DETECT) is None:
        return
    known = costs.camera(camera)
    measured = known is not None and known.width_px > 0
    width_px, height_px = (known.width_px, known.height_px) if known and measured else ASSUMED_SIZE_PX
    basis = f"estimate for {width_px}×{height_px}{'' if measured else ', assumed'}"
    lower = "analyse smaller streams (a sub-stream with `roles: [detect]`)"
    yield MemoryLine("decoders", 1, decoder_bytes(width_px, height_px), basis, lower)
    if not is_lossless(camera):  # of such a one every unit is decoded
        yield MemoryLine("packets passed over", 1, BACKLOG_BYTES, "at most, while less is decoded", lower)
    if any(lane.camera == camera.name and lane.crops is not None for lane in spec.lanes):
        kept = KEPT_PICTURES * picture_bytes(width_px, height_px)
        yield MemoryLine("pictures kept for crops", 1, kept, f"{KEPT_PICTURES} of {width_px}×{height_px}", lower)
    slots = wiring.slots_of(spec, camera.name)
    view = max((view_bytes(spec, lane.model, costs) for lane in spec.lanes if lane.camera == camera.name), default=0)
    if view:
        basis = f"largest view, {format_size(view)}, in {slots} slots"
        yield MemoryLine("views of pictures", 1, slots * view, basis, "let fewer models look at each camera")


def model_memory(model: ModelSpec, executor: ExecutorSpec, costs: CostBook) -> Iterator[MemoryLine]:
    """What one loaded model adds to its process."""
    known = costs.model(model, executor)
    what, lower = f"model {model.name}", f"give executor {executor.name} fewer streams, or take a smaller {model.name}"
    if known is not None and known.memory_bytes:
        yield MemoryLine(what, 1, known.memory_bytes, "measured", lower)
    elif model.kind == "motion":
        yield MemoryLine(what, 1, MOTION_BYTES, "estimate")
    elif model.kind == "python":
        yield MemoryLine(what, 1, PLUGIN_BYTES, "assumed", lower)
    else:
        size = _file_bytes(model)
        each = FILE_FACTOR * size + executor.streams * (STREAM_BYTES + FILE_FACTOR * size)
        basis = f"estimate for a file of {format_size(size)} on {executor.streams} streams"
        yield MemoryLine(what, 1, each, basis, lower)


def fixed_memory(spec: RunSpec) -> Iterator[MemoryLine]:
    """What the processes take by themselves, whatever they are given to do."""
    yield MemoryLine(
        "supervisor, engine, recorder, api",
        1,
        SUPERVISOR_BYTES + ENGINE_BYTES + RECORDER_BYTES + API_BYTES,
        "measured on another host",
    )
    groups = len(spec.ingest_groups)
    yield MemoryLine("ingest processes", groups, INGEST_BYTES, "measured on another host", "lower ingest.groups")
    yield MemoryLine("executor processes", len(spec.executors), EXECUTOR_BYTES, "measured on another host")
    networks = sum(any(model.kind == "onnx" for model in executor.models) for executor in spec.executors)
    if networks:
        yield MemoryLine("runtimes of networks", networks, RUNTIME_BYTES, "measured on another host")
    shared = wiring.ledger_bytes(spec) + STATISTICS_TOUCHED_BYTES * (len(wiring.process_names(spec)) + 1)
    shared += LANE_TOUCHED_BYTES * len(spec.lanes)
    yield MemoryLine("counters and statistics", 1, shared, "estimate")


def decoder_bytes(width_px: int, height_px: int) -> int:
    """A decoder and its pictures."""
    return DECODER_BYTES + DECODER_PICTURES * picture_bytes(width_px, height_px)


def picture_bytes(width_px: int, height_px: int) -> int:
    """A decoded picture of 12 bits per pixel."""
    return width_px * height_px * 3 // 2


def view_bytes(spec: RunSpec, model_name: str, costs: CostBook) -> int:
    """Size of one view of a model: as it was last loaded, or as its kind usually asks for."""
    for executor in spec.executors:
        for model in executor.models:
            if model.name != model_name:
                continue
            known = costs.model(model, executor)
            if known is not None and known.view_bytes:
                return known.view_bytes
            return {"motion": MOTION_VIEW_BYTES, "python": PLUGIN_VIEW_BYTES}.get(model.kind, NETWORK_VIEW_BYTES)
    return 0


def _file_bytes(model: ModelSpec) -> int:
    try:
        return sum(part.stat().st_size for part in parts_of(Path(model.path)))
    except OSError:
        return 0


def _grouped(lines: Iterable[MemoryLine]) -> list[MemoryLine]:
    """Equal lines as one with a count, in the order in which each first came."""
    counts: dict[MemoryLine, int] = {}
    for line in lines:
        counts[line] = counts.get(line, 0) + line.count
    return [msgspec.structs.replace(line, count=count) for line, count in counts.items()]
