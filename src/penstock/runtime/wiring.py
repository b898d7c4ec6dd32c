"""Which memory a run needs, and which process gets which part of it."""

from collections.abc import Iterator, Mapping

import msgspec

from penstock.contracts.identity import Role
from penstock.contracts.messages import ProcessKind
from penstock.contracts.specs import CameraSpec, RunSpec, StreamSpec
from penstock.control.managed import ProcessPlan
from penstock.framebus.cell import cell_bytes
from penstock.framebus.counters import WORD_BYTES
from penstock.framebus.regions import Region, Regions
from penstock.framebus.ring import format_ring, ring_bytes
from penstock.framebus.slots import format_pool, pool_bytes
from penstock.framebus.trace_ring import READ_AT_ONCE, format_trace, trace_bytes
from penstock.ingest import books
from penstock.scheduling.ledger import WORDS_PER_LANE

LEDGER = "ledger"
SPEC = "spec"
ENGINE = "engine"
RECORDER = "recorder"
API = "api"
SUPERVISOR = "supervisor"

FEWEST_SLOTS = 4
# Room for a 1920×1080 view; pages that no view touches cost nothing.
SLOT_BYTES = 1920 * 1080 * 3
RING_ENTRIES = 8192
STATISTICS_BYTES = 1 << 20
# A lane's seven histograms take 2.5 KB after a minute, 5.3 after hours; 9 where ages vary a thousandfold.
# Pages that are never written to cost nothing.
LANE_STATISTICS_BYTES = 16 << 10
RULE_STATISTICS_BYTES = 1 << 10
CAMERA_STATISTICS_BYTES = 4 << 10
# Seconds of the busiest run; pages that nobody traces into cost nothing.
ENGINE_TRACE_RECORDS = 32_768
# No more than one reading takes: what became of a frame is never handed out before the frame.
INGEST_TRACE_RECORDS = READ_AT_ONCE
NS_PER_S = 1_000_000_000


def units_region(camera: str, number: int) -> str:
    return f"units:{camera}:{number}"


def ring_region(camera: str, number: int) -> str:
    return f"ring:{camera}:{number}"


def pool_region(camera: str) -> str:
    return f"pool:{camera}"


def statistics_region(process: str) -> str:
    return f"statistics:{process}"


def trace_region(process: str) -> str:
    return f"trace:{process}"


def ingest_name(number: int) -> str:
    return f"ingest-{number}"


def executor_process(executor: str) -> str:
    return f"executor-{executor}"


def streams_of(camera: CameraSpec) -> Iterator[tuple[int, StreamSpec]]:
    """A camera's streams with their numbers."""
    yield from enumerate(camera.streams)


def stream_number(camera: CameraSpec, role: Role) -> int | None:
    """Number of the stream that has `role`; None where none has."""
    return next((number for number, stream in enumerate(camera.streams) if role in stream.roles), None)


def ledger_bytes(spec: RunSpec) -> int:
    """Size of the ledger's region: a row for each lane."""
    return max(1, len(spec.lanes)) * WORDS_PER_LANE * WORD_BYTES


def slots_of(spec: RunSpec, camera: str) -> int:
    """One view in work and one asked for ahead per lane, as many of each as it looks at crops, and two in transit."""
    views = sum(1 if lane.crops is None else lane.crops.limit for lane in spec.lanes if lane.camera == camera)
    return max(FEWEST_SLOTS, 2 * views + 2)


def statistics_bytes(spec: RunSpec, process: str) -> int:
    """The most that `process` may publish of itself: the engine's grows with lanes and rules, all others' with
    cameras."""
    size_bytes = STATISTICS_BYTES + len(spec.cameras) * CAMERA_STATISTICS_BYTES
    if process == ENGINE:
        rules = sum(len(rule.cameras) or len(spec.cameras) for rule in spec.rules)
        size_bytes += len(spec.lanes) * LANE_STATISTICS_BYTES + rules * RULE_STATISTICS_BYTES
    return size_bytes


def create_regions(spec: RunSpec, regions: Regions) -> dict[str, Region]:
    """Everything that must outlive a child, formatted and empty. The supervisor holds it until the run ends."""
    made: dict[str, Region] = {}

    def make(name: str, size_bytes: int) -> Region:
        made[name] = regions.create(name, size_bytes)
        return made[name]

    for camera in spec.cameras:
        for number, stream in streams_of(camera):
            make(units_region(camera.name, number), books.WORDS * WORD_BYTES)
            ring = make(ring_region(camera.name, number), ring_bytes(stream.ring_bytes, RING_ENTRIES))
            format_ring(ring, stream.ring_bytes, RING_ENTRIES)
        slots = slots_of(spec, camera.name)
        pool = make(pool_region(camera.name), pool_bytes(slots, SLOT_BYTES))
        format_pool(pool, slots, SLOT_BYTES)
    make(LEDGER, ledger_bytes(spec))
    for process in tracing_processes(spec):
        records = ENGINE_TRACE_RECORDS if process == ENGINE else INGEST_TRACE_RECORDS
        format_trace(make(trace_region(process), trace_bytes(records)), records)
    for process in [*process_names(spec), SUPERVISOR]:
        make(statistics_region(process), cell_bytes(statistics_bytes(spec, process)))
    return made


def create_spec_region(spec: RunSpec, regions: Regions) -> Region:
    """The specification in memory: it may be larger than a message."""
    encoded = msgspec.msgpack.encode(spec)
    region = regions.create(SPEC, len(encoded))
    region.memory[:] = encoded
    return region


def read_spec(region: Region) -> RunSpec:
    return msgspec.msgpack.decode(region.memory, type=RunSpec)


def process_names(spec: RunSpec) -> list[str]:
    """Every child of the run, in the order in which they are launched."""
    return [
        *(executor_process(executor.name) for executor in spec.executors),
        RECORDER,
        ENGINE,
        *(ingest_name(number) for number in range(len(spec.ingest_groups))),
        API,
    ]


def tracing_processes(spec: RunSpec) -> list[str]:
    """Who writes trace records: the engine first, for what it writes follows from what ingest does."""
    return [ENGINE, *(ingest_name(number) for number in range(len(spec.ingest_groups)))]


def process_plans(spec: RunSpec) -> list[ProcessPlan]:
    """The process tree: who is linked with whom, who gets which memory, who is stopped when.

    Frames stop first, so that everything after them can finish what it has: the engine its events, the recorder
    its clips (reported to the engine, which therefore waits for it), the API its deliveries.
    """
    cameras = {camera.name: camera for camera in spec.cameras}
    units = [units_region(camera.name, number) for camera in spec.cameras for number, _ in streams_of(camera)]
    rings = [ring_region(camera.name, number) for camera in spec.cameras for number, _ in streams_of(camera)]
    pools = [pool_region(camera.name) for camera in spec.cameras]
    ingests = [ingest_name(number) for number in range(len(spec.ingest_groups))]
    executors = [executor_process(executor.name) for executor in spec.executors]
    all_statistics = [statistics_region(name) for name in [*process_names(spec), SUPERVISOR]]
    traces = [trace_region(name) for name in tracing_processes(spec)]

    def plan(
        name: str, kind: ProcessKind, peers: list[str], regions: list[str], stage: int, grace_s: float
    ) -> ProcessPlan:
        own = statistics_region(name)
        return ProcessPlan(
            name=name,
            kind=kind,
            peers=tuple(peers),
            regions=tuple(dict.fromkeys([own, *(r for r in traces if r == trace_region(name)), *regions])),
            stop_stage=stage,
            stop_grace_ns=round(grace_s * NS_PER_S),
            finishes=kind in (ProcessKind.ENGINE, ProcessKind.RECORDER, ProcessKind.API),
        )

    plans = {name: plan(name, ProcessKind.EXECUTOR, [ENGINE], pools, 2, 0.7) for name in executors}
    plans[RECORDER] = plan(RECORDER, ProcessKind.RECORDER, [ENGINE], rings, 2, 0.7)
    plans[ENGINE] = plan(ENGINE, ProcessKind.ENGINE, [*ingests, *executors, RECORDER], [LEDGER, *units, *pools], 1, 2.0)
    for name, group in zip(ingests, spec.ingest_groups, strict=True):
        own = [
            region
            for camera in group
            for region in (
                pool_region(camera),
                *(units_region(camera, number) for number, _ in streams_of(cameras[camera])),
                *(ring_region(camera, number) for number, _ in streams_of(cameras[camera])),
            )
        ]
        plans[name] = plan(name, ProcessKind.INGEST, [ENGINE], own, 0, 1.0)
    plans[API] = plan(API, ProcessKind.API, [], [*all_statistics, *traces], 3, 1.0)
    return [plans[name] for name in process_names(spec)]


def statistics_regions(regions: Mapping[str, Region]) -> list[Region]:
    """The regions in which processes publish, in a stable order."""
    prefix = statistics_region("")
    return [region for name, region in regions.items() if name.startswith(prefix)]
