"""What a detector is worth on scenes that it never saw, on the engine's own path from packet to box.

Average precision as the VOC challenge defines it since 2010: detections by falling confidence, each takes the free true
box of its class that it overlaps most, from IoU 0.5 on; the area under the precision that no later recall exceeds, at
all points. Hidden figures count on neither side: a detection that has no true box of its own and lies mostly within a
hidden one is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import av
import numpy as np

from demo_detector.footage import Boxes, Take, pictures
from penstock.base.clock import Clock
from penstock.contracts.results import Detection
from penstock.contracts.specs import ModelSpec
from penstock.contracts.views import ViewReader
from penstock.ingest.views import ViewMaker
from penstock.models.loading import load_model
from penstock.models.model import Model
from penstock.models.pixels import array_of
from penstock.testkit.views import ArrayViews, frame_ref

LEAST_OVERLAP = 0.5
RULE_CONFIDENCE = 0.4
"""where the demonstration's rules begin to believe"""
_FLOOR = 0.01


@dataclass(slots=True)
class Tally:
    """Detections of one class over many pictures: confidence, and whether each is true; how many there were to find."""

    confidence: list[float] = field(default_factory=list)
    true: list[bool] = field(default_factory=list)
    wanted: int = 0

    def average_precision(self) -> float:
        """All-point area under the precision-recall curve; not a number where there was nothing to find."""
        if not self.wanted:
            return float("nan")
        order = np.argsort(-np.array(self.confidence), kind="stable")
        true = np.array(self.true, np.float64)[order]
        recall = np.concatenate([[0.0], np.cumsum(true) / self.wanted])
        precision = np.cumsum(true) / np.arange(1, len(true) + 1)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float((np.diff(recall) * envelope).sum())

    def at(self, confidence: float) -> tuple[float, float]:
        """Precision and recall of detections with at least `confidence`."""
        taken = np.array(self.confidence) >= confidence
        hits = int(np.array(self.true, np.bool_)[taken].sum())
        return hits / max(1, int(taken.sum())), hits / max(1, self.wanted)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Tallies by class name and setting, and what an analysis cost."""

    tallies: dict[tuple[str, str], Tally]
    pictures: int
    cost_ms: float
    """median of network and head on one core"""

    def over(self, label: str, setting: str = "") -> Tally:
        """One class, in one setting or in all."""
        whole = Tally()
        for (of_label, of_setting), tally in self.tallies.items():
            if of_label == label and setting in ("", of_setting):
                whole.confidence += tally.confidence
                whole.true += tally.true
                whole.wanted += tally.wanted
        return whole


class Pipeline:
    """A model file as the engine runs it: its view made by ingest, its result in pixels of the frame."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._spec = ModelSpec("demo_detector", path=path, backend="auto", confidence=_FLOOR)
        self._clock = clock
        self._maker = ViewMaker()
        self._views = ArrayViews()
        self._model: Model | None = None
        self.cost_ns: list[int] = []

    def start(self) -> None:
        self._model = load_model(self._spec, 1)

    @property
    def class_names(self) -> tuple[str, ...]:
        assert self._model is not None
        return self._model.description.class_names

    def detect(self, frame: av.VideoFrame) -> list[Detection]:
        assert self._model is not None
        spec = self._model.description.view
        slot = np.empty((spec.height_px, spec.width_px, spec.channels), np.uint8)
        _, to_source, _, _ = self._maker.make(frame, spec, memoryview(slot).cast("B"))
        view = self._views.make(frame_ref(width_px=frame.width, height_px=frame.height), slot, spec, to_source)
        reader: ViewReader = self._views
        began_ns = self._clock.now_ns()
        found = self._model.run(0, view, array_of(view, reader.pixels(view))).detections
        self.cost_ns.append(self._clock.now_ns() - began_ns)
        self._views.lose(view)
        assert found is not None
        return list(found.detections())

    def stop(self) -> None:
        if self._model is not None:
            self._model.close()


def judge(path: str, takes: Sequence[Take], clock: Clock) -> Verdict:
    """Runs the file at `path` on `takes`."""
    pipeline = Pipeline(path, clock)
    pipeline.start()
    names = pipeline.class_names
    tallies: dict[tuple[str, str], Tally] = {}
    count = 0
    for take in takes:
        for frame, truth in pictures(take):
            count += 1
            found = pipeline.detect(frame)
            for class_id, name in enumerate(names):
                tally = tallies.setdefault((name, take.setting), Tally())
                add(tally, [d for d in found if d.class_id == class_id], truth, class_id, (frame.width, frame.height))
    pipeline.stop()
    return Verdict(tallies, count, float(np.median(pipeline.cost_ns)) / 1e6)


def add(tally: Tally, found: Sequence[Detection], truth: Boxes, class_id: int, size_px: tuple[int, int]) -> None:
    """Enters one picture's detections of one class, most confident first."""
    of_class = truth.class_id == class_id
    true_px = truth.xyxy * np.array([*size_px, *size_px], np.float32)
    wanted, hidden = true_px[of_class & truth.wanted], true_px[of_class & ~truth.wanted]
    free = np.ones(len(wanted), np.bool_)
    tally.wanted += len(wanted)
    for detection in sorted(found, key=lambda d: -d.confidence):
        box = np.array(detection.xyxy)
        overlap = _shared(box, wanted)
        overlap = overlap / (_area(box) + _area(wanted) - overlap)
        overlap[~free] = 0.0
        best = int(overlap.argmax()) if len(overlap) else -1
        hit = best >= 0 and overlap[best] >= LEAST_OVERLAP
        if hit:
            free[best] = False
        elif (_shared(box, hidden) >= LEAST_OVERLAP * _area(box)).any():
            continue
        tally.confidence.append(detection.confidence)
        tally.true.append(hit)


def _area(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1]))


def _shared(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.asarray(np.clip(sides, 0, None).prod(axis=1))
