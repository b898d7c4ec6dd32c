"""Boxes of one model become regions for another, and what it says of each becomes one result of the frame."""

from array import array

from penstock.contracts.results import Classification, Detections, Result
from penstock.contracts.specs import CropSpec
from penstock.runtime.crops import joined, regions_of
from penstock.testkit.views import frame_ref

FRAME = frame_ref("door", seq=3)
NAMES = ("person", "car")


def boxes(*found: tuple[tuple[float, float, float, float], float, int], names: tuple[str, ...] = NAMES) -> Detections:
    return Detections(
        xyxy=array("f", [side for box, _, _ in found for side in box]).tobytes(),
        confidence=array("f", [confidence for _, confidence, _ in found]).tobytes(),
        class_id=array("i", [number for _, _, number in found]).tobytes(),
        class_names=names,
    )


def result(detections: Detections | None = None, **more: object) -> Result:
    return Result("m", "0", FRAME, detections, **more)  # type: ignore[arg-type]


FOUND = result(
    boxes(((10, 10, 20, 30), 0.5, 1), ((0, 0, 10, 10), 0.9, 1), ((5, 5, 6, 6), 0.8, 1), ((1, 1, 9, 9), 0.95, 0))
)


def test_the_surest_boxes_of_the_classes_asked_for_with_their_margin_inside_the_picture() -> None:
    crops = CropSpec("m", labels=("car",), limit=2, margin=0.1)
    assert regions_of(FOUND, crops) == ((0.0, 0.0, 11.0, 11.0), (9.0, 8.0, 21.0, 32.0))
    assert regions_of(FOUND, CropSpec("m", limit=1, margin=0.0)) == ((1.0, 1.0, 9.0, 9.0),)
    assert regions_of(result(), crops) == ()
    assert regions_of(result(boxes()), crops) == ()


def test_boxes_of_crops_are_those_of_the_frame() -> None:
    regions = ((0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0))
    whole = joined(
        [
            result(boxes(((1, 1, 2, 2), 0.5, 0), names=("plate",))),
            result(boxes(((21, 21, 22, 22), 0.25, 0), names=("plate",))),
        ],
        regions,
        ("plate",),
    )
    assert whole.detections is not None
    assert [(d.xyxy, d.class_name, d.confidence) for d in whole.detections.detections()] == [
        ((1.0, 1.0, 2.0, 2.0), "plate", 0.5),
        ((21.0, 21.0, 22.0, 22.0), "plate", 0.25),
    ]
    assert whole.frame is FRAME


def test_the_class_of_a_crop_is_a_box_around_it_and_the_largest_number_counts() -> None:
    regions = ((0.0, 0.0, 10.0, 10.0), (20.0, 20.0, 30.0, 30.0))
    first = result(classifications=(Classification(0, "red", 0.25), Classification(1, "blue", 0.5)), scalars={"x": 2.0})
    second = result(classifications=(Classification(0, "red", 0.75),), scalars={"x": 1.0, "y": -1.0}, late=True)
    whole = joined([first, second], regions, ("red", "blue"))
    assert whole.detections is not None
    assert [(d.xyxy, d.class_name, d.confidence) for d in whole.detections.detections()] == [
        (regions[0], "blue", 0.5),
        (regions[1], "red", 0.75),
    ]
    assert whole.scalars == {"x": 2.0, "y": -1.0}
    assert whole.classifications == ()
    assert whole.late
