"""What lanes of one camera tell each other: required signals that hold, and boxes that a second model is to see."""

from collections.abc import Iterable

from penstock.contracts.results import Result
from penstock.contracts.specs import CropSpec, LaneSpec
from penstock.scheduling.lane import Lane
from penstock.scheduling.scheduler import Scheduler
from penstock.signals.statements import DETECTIONS, signals_of
from penstock.testkit.simulated_rules import SimulatedRules

_FRAMES_KEPT = 4


class Findings:
    """All lanes of one host. Does nothing for cameras on which nobody asks for anything."""

    def __init__(self, lanes: Iterable[LaneSpec], scheduler: Scheduler, rules: SimulatedRules) -> None:
        self._scheduler = scheduler
        self._rules = rules
        self._followers: dict[str, list[tuple[str, CropSpec]]] = {}
        self._boxes: dict[str, dict[int, tuple[int, int, int]]] = {}
        self._required: dict[str, tuple[str, ...]] = {}
        self._holding: dict[tuple[str, str], tuple[int, int, str]] = {}
        """by camera and signal: when it was last so, until when that is known, and the lane that said it"""
        for lane in lanes:
            if lane.crops is not None:
                self._followers.setdefault(f"{lane.camera}/{lane.crops.of}", []).append((lane.name, lane.crops))
                self._boxes[lane.name] = {}
            names = scheduler.required(lane.camera)
            if names:
                self._required[lane.camera] = names

    def wanted(self, lane: LaneSpec) -> bool:
        """Whether anybody but the rules wants to know what the lane's model says."""
        return lane.name in self._followers or lane.camera in self._required

    def frame_of(self, lane: str, frame_index: int) -> tuple[int, int, int]:
        """How many boxes of that frame the lane looks at, when it was captured and decoded; zeros where it has gone."""
        return self._boxes[lane].get(frame_index, (0, 0, 0))

    def found(self, lane: LaneSpec, result: Result, now_ns: int) -> None:
        """`lane` has a result."""
        names = self._required.get(lane.camera)
        if names and not result.late:
            self._state(lane, result, names)
        for follower, crops in self._followers.get(lane.name, ()):
            boxes = 0
            if result.detections is not None and not result.late:
                found = result.detections.detections()
                boxes = min(sum(not crops.labels or box.class_name in crops.labels for box in found), crops.limit)
            frame = result.frame
            index, capture_ns = frame.index, frame.capture.mono_ns
            if boxes:
                kept = self._boxes[follower]
                kept[index] = (boxes, capture_ns, frame.decoded_ns)
                while len(kept) > _FRAMES_KEPT:
                    del kept[next(iter(kept))]
            self._scheduler.offer_crops(follower, index, capture_ns, boxes, now_ns)

    def still(self, lane: Lane, spec: LaneSpec, capture_ns: int) -> None:
        """A frame of `lane` was gated: what it said last goes on being so."""
        for name in self._required.get(lane.camera, ()):
            held = self._holding.get((lane.camera, name))
            if held is not None and held[2] == lane.name:
                until_ns = max(held[1], capture_ns + self._rules.validity_ns(spec))
                self._hold(lane.camera, name, held[0], until_ns, lane.name)

    def _state(self, lane: LaneSpec, result: Result, names: tuple[str, ...]) -> None:
        capture_ns = result.frame.capture.mono_ns
        so: dict[str, bool] = {}
        for signal in signals_of(result, lane.name, 0):
            if signal.name == DETECTIONS:
                assert isinstance(signal.value, tuple)
                known = result.detections.class_names if result.detections is not None else ()
                seen = {box.class_name for box in signal.value}
                so.update((name, name in seen) for name in known)
            elif not isinstance(signal.value, tuple | str):
                so[signal.name] = signal.value > 0
        for name in names:
            if name not in so:
                continue
            held = self._holding.get((lane.camera, name))
            if so[name]:
                until_ns = capture_ns + self._rules.validity_ns(lane)
                self._hold(lane.camera, name, capture_ns, until_ns, lane.name)
            elif held is not None and held[2] == lane.name and held[1] >= capture_ns:
                self._hold(lane.camera, name, held[0], capture_ns - 1, lane.name)

    def _hold(self, camera: str, name: str, last_ns: int, until_ns: int, lane: str) -> None:
        self._holding[camera, name] = (last_ns, until_ns, lane)
        self._scheduler.stated(camera, name, last_ns, until_ns)
