"""What a result states."""

import array

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.results import Classification, Detection, Detections, Result
from penstock.contracts.signals import Signal
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.signals.statements import ready_made, signals_of

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
    assert signals == (
        Signal("front", "detections", found, 1_000, 1_700, "front/yolox", 640, 360),
        Signal("front", "PersonDetected", True, 1_000, 1_700, "front/yolox"),
    )


def test_scalars_have_names_of_their_own_and_nothing_found_is_a_statement() -> None:
    result = Result("motion", "hash", FRAME, Detections(), scalars={"motion": 0.25})
    assert signals_of(result, "front/motion", 0) == (
        Signal("front", "motion", 0.25, 1_000, 1_000, "front/motion"),
        Signal("front", "MotionLevel", 0.25, 1_000, 1_000, "front/motion"),
        Signal("front", "detections", (), 1_000, 1_000, "front/motion", 640, 360),
    )


def test_a_model_without_boxes_states_none_and_cannot_forge_them() -> None:
    result = Result("scorer", "hash", FRAME, None, scalars={"detections": 3.0})
    assert signals_of(result, "front/scorer", 10) == ()


def test_a_model_that_knows_a_class_says_when_nobody_is_there() -> None:
    faces = Result("yunet", "hash", FRAME, Detections(class_names=("face",)))
    assert [(s.name, s.value) for s in signals_of(faces, "front/yunet", 10)] == [
        ("detections", ()),
        ("FacePresent", False),
    ]


def test_a_model_that_states_a_ready_made_signal_itself_is_taken_at_its_word() -> None:
    boxes = Detections(class_names=("person",))
    result = Result("guess", "hash", FRAME, boxes, scalars={"PersonDetected": 1.0, "motion": 0.5, "MotionLevel": 0.75})
    stated = {s.name: s.value for s in signals_of(result, "front/guess", 10)}
    assert stated == {"PersonDetected": 1.0, "motion": 0.5, "MotionLevel": 0.75, "detections": ()}


def test_classes_of_the_whole_picture_are_boxes_around_it() -> None:
    classes = (Classification(504, "coffee mug", 0.75), Classification(968, "cup", 0.125))
    result = Result("mobilenet", "hash", FRAME, classifications=classes, scalars={"classes": 3.0})
    whole = (0.0, 0.0, 640.0, 360.0)
    found = (Detection(whole, 0.75, 504, "coffee mug"), Detection(whole, 0.125, 968, "cup"))
    assert signals_of(result, "front/mobilenet", 10) == (
        Signal("front", "classes", found, 1_000, 1_010, "front/mobilenet", 640, 360),
    )


def test_what_a_model_knows_tells_which_signals_are_ready_made() -> None:
    assert ready_made(("car", "person"), ()) == ("PersonDetected",)
    assert ready_made(("face",), ("motion",)) == ("FacePresent", "MotionLevel")
    assert ready_made(("person",), ("PersonDetected",)) == ()
    assert ready_made((), ()) == ()
