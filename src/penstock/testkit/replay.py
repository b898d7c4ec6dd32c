"""A recorded live run through the simulation: would it have predicted the ages that were measured?

The cameras' frames come when they came. Calls take what calls took, by model and by how many ran side by side, in
recorded order; so do views and messages. Lanes run at the rates that the plan granted. What is computed anew is what
the simulation claims to know: who is asked for when, which frame that is, who waits for whom, and so how old results
are. So a wrong model of queues, streams, ingest or late binding shows, and a wrong model of costs does not.

Where the recording does not say it, a lane's rate is taken from the spacing of its analysed frames; model failures are
replayed as spans in which every call of the model raises. Lanes with crops or requirements are left out, with their
calls' load on the others: recordings that have them are predicted too young.
"""

from collections import defaultdict

import msgspec

from penstock.testkit.host_model import NS_PER_S
from penstock.testkit.recorded_host import arrivals_of, host_of, keep_phases, plans_of
from penstock.testkit.recording import Recording, RecordingError, percentile
from penstock.testkit.simulated_host import SimulatedHost

_SETTLE_NS = 5 * NS_PER_S
_PERCENTILES = (50.0, 95.0, 99.0)


class LanePrediction(msgspec.Struct, frozen=True):
    """Ages of one lane's results, or of all (`lane` is empty): as measured and as predicted."""

    lane: str
    results: int
    predicted_results: int
    live_ns: dict[str, int]
    """percentiles by name (`p50`)"""
    predicted_ns: dict[str, int]

    def difference(self, name: str) -> float:
        """How far the prediction is from what was measured: 0.1 is 10 % too old, below 0 too young."""
        live = self.live_ns[name]
        return (self.predicted_ns[name] - live) / live if live else 0.0


class Replayed(msgspec.Struct, frozen=True):
    """What a replay came to; ages of the frames captured after `skipped_ns` of the window."""

    whole: LanePrediction
    lanes: tuple[LanePrediction, ...]
    window_ns: int
    skipped_ns: int
    left_out: tuple[str, ...]
    """lanes that were not replayed"""


class _Ages:
    """Ages by lane, each with its result's instant."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def record(self, value_ns: int) -> None:
        self.values.append(value_ns)


def replay(recording: Recording, seed: int = 0) -> Replayed:
    """Simulates the recorded window; raises RecordingError where nothing of it can be."""
    lanes = [lane for lane in recording.lanes if not lane.crops_of and not lane.requires and lane.executor]
    left_out = tuple(lane.lane for lane in recording.lanes if lane not in lanes)
    if not lanes:
        raise RecordingError("every lane of the recording has crops or requirements: there is nothing to replay")
    window = recording.window
    zero_ns = window.from_ns - NS_PER_S
    arrivals = arrivals_of(recording, zero_ns)
    lanes = [lane for lane in lanes if lane.camera in arrivals]
    host_model = host_of(recording, lanes, zero_ns)
    ages: dict[str, _Ages] = {}
    host = SimulatedHost(host_model, seed, arrivals=arrivals, ages=lambda lane: ages.setdefault(lane.name, _Ages()))
    skipped_ns = min(_SETTLE_NS, (window.until_ns - window.from_ns) // 4)
    from_ns = window.from_ns - zero_ns + skipped_ns
    until_ns = window.until_ns - zero_ns
    plans = plans_of(recording, lanes, zero_ns)
    begin_ns = window.from_ns - zero_ns
    for _, plan in (one for one in plans if one[0] <= begin_ns):
        host.scheduler.apply(plan)
    keep_phases(recording, host, zero_ns)
    skipped: dict[str, int] | None = None
    for at_ns, plan in (one for one in plans if one[0] > begin_ns):
        if at_ns > from_ns and skipped is None:
            host.run(from_ns)
            skipped = {name: len(of.values) for name, of in ages.items()}
        host.run(at_ns)
        host.scheduler.apply(plan)
    if skipped is None:
        host.run(from_ns)
        skipped = {name: len(of.values) for name, of in ages.items()}
    host.run(until_ns)
    predicted = {name: of.values[skipped.get(name, 0) :] for name, of in ages.items()}
    live = _live_ages(recording, window.from_ns + skipped_ns)
    rows = tuple(_compare(lane.lane, live.get(lane.lane, []), predicted.get(lane.lane, [])) for lane in lanes)
    everything = [age for lane in lanes for age in live.get(lane.lane, [])]
    guessed = [age for values in predicted.values() for age in values]
    return Replayed(_compare("", everything, guessed), rows, until_ns - begin_ns, skipped_ns, left_out)


def _compare(lane: str, live: list[int], predicted: list[int]) -> LanePrediction:
    return LanePrediction(
        lane,
        len(live),
        len(predicted),
        {f"p{percent:g}": percentile(live, percent) for percent in _PERCENTILES},
        {f"p{percent:g}": percentile(predicted, percent) for percent in _PERCENTILES},
    )


def _live_ages(recording: Recording, from_ns: int) -> dict[str, list[int]]:
    ages: dict[str, list[int]] = defaultdict(list)
    for lane, capture_ns, taken_ns in recording.analysed.columns("lane", "capture_ns", "taken_ns"):
        if from_ns <= taken_ns < recording.window.until_ns:
            ages[recording.lanes[lane].lane].append(taken_ns - capture_ns)
    return ages
