"""Matching and counting: exact on hand-made boxes, and bounded whatever comes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import View
from penstock.contracts.results import Classification, Detections, Result
from penstock.models.quantisation.agreement import Agreement, Comparison, match_boxes
from penstock.models.quantisation.comparing import compare
from penstock.testkit.views import ArrayViews, frame_ref

Box = tuple[float, float, float, float, int, float]


def result(*boxes: Box) -> Result:
    values = np.array([box[:4] for box in boxes], "<f4").reshape(-1, 4)
    return Result(
        model="m",
        weight_hash="",
        frame=frame_ref(),
        detections=Detections(
            xyxy=values.tobytes(),
            confidence=np.array([box[5] for box in boxes], "<f4").tobytes(),
            class_id=np.array([box[4] for box in boxes], "<i4").tobytes(),
        ),
    )


def agreement(reference: Result, other: Result) -> Agreement:
    comparison = Comparison()
    comparison.add(reference, other)
    return comparison.agreement()


A: Box = (0, 0, 10, 10, 0, 0.9)
B: Box = (20, 20, 40, 40, 1, 0.8)
SCENES = {
    "the same": ((A, B), (A, B), 2, 1.0, 1.0),
    "one lost": ((A, B), (A,), 1, 0.5, 1.0),
    "one too many": ((A,), (A, B), 1, 1.0, 0.5),
    "another class": ((A,), ((0, 0, 10, 10, 3, 0.9),), 0, 0.0, 0.0),
    "just half": ((A,), ((0, 0, 10, 5, 0, 0.9),), 1, 1.0, 1.0),
    "less than half": ((A,), ((0, 0, 10, 4.9, 0, 0.9),), 0, 0.0, 0.0),
    "two for one": ((A,), (A, A), 1, 1.0, 0.5),
    "nothing to find": ((), (A,), 0, None, 0.0),
    "nothing found": ((A,), (), 0, 0.0, None),
}


@pytest.mark.parametrize("name", SCENES)
def test_boxes_are_counted(name: str) -> None:
    reference, other, matched, recall, precision = SCENES[name]
    found = agreement(result(*reference), result(*other))
    assert (found.matched, found.recall, found.precision) == (matched, recall, precision)
    expected = None if recall is None else min(recall, precision or 0.0)
    assert found.value == expected


def test_differences_are_those_of_pairs() -> None:
    found = agreement(result(A), result((0, 0, 10, 8, 0, 0.7)))
    assert found.mean_iou == pytest.approx(0.8)
    assert found.mean_score_difference == pytest.approx(0.2)


def test_classifiers_agree_on_the_first_class() -> None:
    def says(class_id: int) -> Result:
        return Result("m", "", frame_ref(), classifications=(Classification(class_id, "", 0.5),))

    comparison = Comparison()
    comparison.add(says(1), says(1))
    comparison.add(says(1), says(2))
    assert comparison.agreement() == Agreement(kind="classes", frames=2, top1=0.5)
    assert comparison.agreement().value == 0.5


side = st.integers(0, 20).map(float)
boxes = st.lists(st.tuples(side, side, side, side, st.integers(0, 2)), max_size=8)


@given(boxes, boxes)
def test_no_box_is_matched_twice_and_all_pairs_overlap(
    one: list[tuple[float, ...]], two: list[tuple[float, ...]]
) -> None:
    def arrays(entries: list[tuple[float, ...]]) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        raw = np.array(entries, np.float32).reshape(-1, 5)
        xy = np.minimum(raw[:, :2], raw[:, 2:4])
        return np.concatenate([xy, np.maximum(raw[:, :2], raw[:, 2:4])], axis=1), raw[:, 4].astype(np.int32)

    pairs = match_boxes(*arrays(one), *arrays(two))
    assert len(set(pairs.first)) == len(pairs.first) == len(set(pairs.second)) == len(pairs.second)
    assert all(0.5 <= overlap <= 1.0 for overlap in pairs.iou)
    assert all(arrays(one)[1][i] == arrays(two)[1][j] for i, j in zip(pairs.first, pairs.second, strict=True))
    mirrored = match_boxes(*arrays(two), *arrays(one))
    assert sorted(mirrored.iou) == sorted(pairs.iou)


class _Slow:
    """Takes a simulated time per call."""

    def __init__(self, clock: SimulatedClock, takes_ns: int, says: Result) -> None:
        self._clock = clock
        self._takes_ns = takes_ns
        self._says = says
        self.calls = 0

    def run(self, stream: int, view: View, pixels: NDArray[np.uint8]) -> Result:
        self.calls += 1
        self._clock.advance(self._takes_ns)
        return self._says

    def close(self) -> None: ...


def test_models_are_timed_in_turns(clock: SimulatedClock) -> None:
    reference, other = _Slow(clock, 6_000_000, result(A)), _Slow(clock, 2_000_000, result(A))
    view = ArrayViews().blank(frame_ref())
    compared = compare(reference, other, [(view, np.zeros((32, 32, 3), np.uint8))] * 5, clock)  # type: ignore[arg-type]
    assert (compared.float_speed.median_ms, compared.int8_speed.median_ms) == (6.0, 2.0)
    assert compared.speed_ratio == 3.0
    assert reference.calls == other.calls == 5 + 3
    assert compared.agreement.value == 1.0
    with pytest.raises(ValueError, match="no pictures"):
        compare(reference, other, [], clock)  # type: ignore[arg-type]
