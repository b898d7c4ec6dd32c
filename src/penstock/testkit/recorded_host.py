"""A host made from a recording: frames, calls, views and messages as they came, rates as they were granted.

Instants are the recording's, less `zero_ns`.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from penstock.contracts.capacity import CapacityPlan, LadderStep, LaneGrant
from penstock.contracts.specs import LaneSpec
from penstock.testkit.arrivals import Arrivals, RecordedArrivals
from penstock.testkit.call_costs import CallCost, RaisingCost, RecordedCost
from penstock.testkit.host_model import NS_PER_S, CameraModel, ExecutorModel, Hops, HostModel
from penstock.testkit.movement import Span
from penstock.testkit.recording import RecordedLane, Recording, percentile
from penstock.testkit.simulated_host import SimulatedHost
from penstock.testkit.simulated_models import CostedModel

# A rate this near to what the lane asks for is that.
_FULL = 0.93


def arrivals_of(recording: Recording, zero_ns: int) -> dict[str, Arrivals]:
    """The frames of each camera, by name."""
    frames: dict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for camera, index, capture_ns, decoded_ns in recording.arrivals.columns(
        "camera", "index", "capture_ns", "decoded_ns"
    ):
        frames[recording.cameras[camera].camera][index] = (capture_ns - zero_ns, decoded_ns - zero_ns)
    arrivals: dict[str, Arrivals] = {}
    for camera, of in frames.items():
        ordered = [of[index] for index in sorted(of)]
        arrivals[camera] = RecordedArrivals(
            tuple(capture_ns for capture_ns, _ in ordered), tuple(decoded_ns for _, decoded_ns in ordered)
        )
    return arrivals


def host_of(recording: Recording, lanes: list[RecordedLane], zero_ns: int) -> HostModel:
    """Cameras, lanes and executors of the recording, as far as they belong to `lanes`."""
    processes = list(dict.fromkeys(camera.process for camera in recording.cameras))
    process_of = {camera.camera: processes.index(camera.process) for camera in recording.cameras}
    costs = _costs(recording, zero_ns)
    still = _still_spans(recording, zero_ns)
    rows = recording.analysed.columns("asked_ns", "made_ns", "submitted_ns", "received_ns", "finished_ns", "taken_ns")
    begun = {made_ns: begun_ns for begun_ns, made_ns in recording.views.columns("begun_ns", "made_ns")}
    hops = Hops(
        ask_ns=_times(begun[row[1]] - row[0] for row in rows if row[1] in begun),
        view_ns=_times(row[2] - row[1] for row in rows),
        submit_ns=_times(row[3] - row[2] for row in rows),
        result_ns=_times(row[5] - row[4] for row in rows),
        making_ns=_times(made - start for start, made in recording.views.columns("begun_ns", "made_ns")),
    )
    executors = []
    for executor in recording.executors:
        models = tuple(CostedModel(model, costs[model], host_share=0.0) for model in executor.models if model in costs)
        if models:
            executors.append(ExecutorModel(executor.executor, models, executor.streams))
    known = {model.name for executor in executors for model in executor.models}
    used = [lane for lane in lanes if lane.model in known]
    return HostModel(
        cameras=tuple(
            CameraModel(camera, phase_ns=0, unit_ns=0, ingest=process_of[camera], script=_moving(still.get(camera, [])))
            for camera in dict.fromkeys(lane.camera for lane in used)
        ),
        lanes=tuple(
            LaneSpec(
                lane.camera,
                lane.model,
                max_fps=lane.max_fps,
                priority=lane.priority,
                weight=lane.weight,
                budget_ns=lane.budget_ns,
                gated=lane.gated,
                shadow=lane.shadow,
            )
            for lane in used
        ),
        executors=tuple(executors),
        cores=1e6,
        fixed=0.0,
        contention=0.0,
        hop_ns=percentile(hops.view_ns, 50.0),
        hops=hops,
        planned=False,
    )


def _times(values: Iterable[int]) -> tuple[int, ...]:
    return tuple(max(0, value) for value in values) or (0,)


def _costs(recording: Recording, zero_ns: int) -> dict[str, CallCost]:
    """By model: what its calls took, by how many of its executor ran side by side when it began."""
    calls: dict[tuple[str, int], tuple[int, int, str]] = {}
    failed: dict[str, list[int]] = defaultdict(list)
    for lane, call, started_ns, finished_ns in recording.analysed.columns("lane", "call", "started_ns", "finished_ns"):
        spec = recording.lanes[lane]
        calls[spec.executor, call] = (started_ns, finished_ns, spec.model)
    for lane, fate, at_ns in recording.ended.columns("lane", "fate", "at_ns"):
        if fate == "model_failed":
            failed[recording.lanes[lane].model].append(at_ns - zero_ns)
    by_model: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    running: dict[str, list[int]] = defaultdict(list)
    done: dict[str, list[int]] = defaultdict(list)
    for (executor, _), (started_ns, finished_ns, model) in sorted(calls.items(), key=lambda item: item[1][0]):
        running[executor] = [end_ns for end_ns in running[executor] if end_ns > started_ns]
        running[executor].append(finished_ns)
        by_model[model][len(running[executor])].append(max(1, finished_ns - started_ns))
        done[model].append(finished_ns - zero_ns)
    costs: dict[str, CallCost] = {}
    for model, by_load in by_model.items():
        cost: CallCost = RecordedCost(by_load)
        for from_ns, until_ns in _failing_spans(sorted(failed[model]), sorted(done[model])):
            cost = RaisingCost(cost, from_ns, until_ns + 1)
        costs[model] = cost
    return costs


def _failing_spans(failed: list[int], done: list[int]) -> list[Span]:
    """Stretches of failures with no success between them."""
    spans: list[Span] = []
    for at_ns in failed:
        if spans and not any(spans[-1][1] < end_ns < at_ns for end_ns in done):
            spans[-1] = (spans[-1][0], at_ns)
        else:
            spans.append((at_ns, at_ns))
    return spans


def _still_spans(recording: Recording, zero_ns: int) -> dict[str, list[Span]]:
    """By camera: between two frames that a lane took, of which the second was gated, nothing moved."""
    captures: dict[str, dict[int, int]] = defaultdict(dict)
    for camera, index, capture_ns in recording.arrivals.columns("camera", "index", "capture_ns"):
        captures[recording.cameras[camera].camera][index] = capture_ns - zero_ns
    taken: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for lane, index in recording.analysed.columns("lane", "index"):
        taken[recording.lanes[lane].lane].append((index, False))
    for lane, first, count, fate in recording.ended.columns("lane", "first_index", "count", "fate"):
        if fate == "gated" and first:
            taken[recording.lanes[lane].lane] += [(first + place, True) for place in range(count)]
    still: dict[str, list[Span]] = defaultdict(list)
    for lane in recording.lanes:
        known = captures[lane.camera]
        before: int | None = None
        for index, gated in sorted(taken[lane.lane]):
            capture_ns = known.get(index)
            if gated and before is not None and capture_ns is not None:
                still[lane.camera].append((before + 1, capture_ns + 1))
            before = capture_ns if capture_ns is not None else before
    return still


def _moving(still: list[Span]) -> tuple[Span, ...]:
    """The time that is in none of the spans."""
    spans: list[Span] = []
    at_ns = 0
    for from_ns, until_ns in sorted(still):
        if from_ns > at_ns:
            spans.append((at_ns, from_ns))
        at_ns = max(at_ns, until_ns)
    return (*spans, (at_ns, 1 << 62))


def plans_of(recording: Recording, lanes: list[RecordedLane], zero_ns: int) -> list[tuple[int, CapacityPlan]]:
    """What was granted, and from when on."""
    names = [lane.lane for lane in recording.lanes]
    granted = [
        (at_ns - zero_ns, names[lane], step, fps)
        for lane, step, fps, at_ns in recording.grants.columns("lane", "step", "fps", "at_ns")
    ]
    told = {lane for at_ns, lane, _, _ in granted if at_ns <= recording.window.from_ns + NS_PER_S - zero_ns}
    first = tuple(
        LaneGrant(lane.lane, LadderStep.REDUCED, fps)
        for lane in lanes
        if lane.lane not in told and (fps := _spaced_fps(recording, lane)) < lane.max_fps
    )
    plans = [(0, CapacityPlan(0, lanes=first))] if first else []
    for at_ns, lane, step, fps in sorted(granted):
        if any(one.lane == lane for one in lanes):
            at_ns = max(0, at_ns)  # noqa: PLW2901
            plans.append((at_ns, CapacityPlan(at_ns, lanes=(LaneGrant(lane, LadderStep(step), fps),))))
    return plans


def _spaced_fps(recording: Recording, lane: RecordedLane) -> float:
    """The rate at which the lane's frames were taken, or what it asks for where that is about the same. Where some were
    gated, the usual distance says it, not the mean one."""
    number = next(place for place, one in enumerate(recording.lanes) if one.lane == lane.lane)
    captures = sorted(capture_ns for of, capture_ns in recording.analysed.columns("lane", "capture_ns") if of == number)
    gaps = [later - earlier for earlier, later in pairwise(captures)]
    if len(gaps) < 5:
        return lane.max_fps
    gated = any(of == number and fate == "gated" for of, fate in recording.ended.columns("lane", "fate"))
    fps = NS_PER_S / max(1, percentile(gaps, 50.0)) if gated else NS_PER_S * len(gaps) / max(1, sum(gaps))
    return lane.max_fps if fps > _FULL * lane.max_fps else fps


def keep_phases(recording: Recording, host: SimulatedHost, zero_ns: int) -> None:
    """Has each lane be due when it was: its frames are evenly spaced, and what collides with what depends on it."""
    first: dict[str, int] = {}
    for lane, capture_ns in recording.analysed.columns("lane", "capture_ns"):
        name = recording.lanes[lane].lane
        first[name] = min(first.get(name, capture_ns), capture_ns)
    begin_ns = recording.window.from_ns
    for lane in host.lanes:
        if lane.name in first:
            phase_ns = (first[lane.name] - begin_ns) % lane.interval_ns
            lane.due_ns = begin_ns + phase_ns - zero_ns
