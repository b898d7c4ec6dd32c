"""What a result states."""

import array

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.results import Detection, Detections, Result
from penstock.contracts.signals import Signal
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.signals.statements import signals_of

FRAME = FrameRef(
    id=FrameId(StreamKey("host", "boot", "run", "front", Role.DETECT, 7), 41),
    index=42,
    capture=CaptureTime(1_000, TimeBasis.ARRIVAL, 5),
    received_ns=1_010,
    decoded_ns=1_020,
    width_px=640,
    height_px=360,
)


def test_boxes_are_one_signal_with_the_size_of_their_frame() -> None:
    boxes = Detections(
        xyxy=array.array("f", [1, 2, 3, 4, 5, 6, 7, 8]).tobytes(),
        confidence=array.array("f", [0.5, 0.25]).tobytes(),
        class_id=array.array("i", [0, 1]).tobytes(),
        class_names=("person", "car"),
    )
    signals = signals_of(Result("yolox", "hash", FRAME, boxes), "front/yolox", 700)
    found = (Detection((1, 2, 3, 4), 0.5, 0, "person"), Detection((5, 6, 7, 8), 0.25, 1, "car"))
    assert signals == (Signal("front", "detections", found, 1_000, 1_700, "front/yolox", 640, 360),)


def test_scalars_have_names_of_their_own_and_nothing_found_is_a_statement() -> None:
    result = Result("motion", "hash", FRAME, Detections(), scalars={"motion": 0.25})
    assert signals_of(result, "front/motion", 0) == (
        Signal("front", "motion", 0.25, 1_000, 1_000, "front/motion"),
        Signal("front", "detections", (), 1_000, 1_000, "front/motion", 640, 360),
    )


def test_a_model_without_boxes_states_none_and_cannot_forge_them() -> None:
    result = Result("scorer", "hash", FRAME, None, scalars={"detections": 3.0})
    assert signals_of(result, "front/scorer", 10) == ()
