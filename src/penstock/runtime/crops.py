"""Between two models of which one looks at what the other found: boxes become regions, their results one result."""

from array import array
from collections.abc import Sequence

import msgspec

from penstock.contracts.messages import Box
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import CropSpec

_SMALLEST_PX = 2.0


def regions_of(result: Result, crops: CropSpec) -> tuple[Box, ...]:
    """The boxes that `crops` wants to see, most confident first, with their margin, inside the picture.

    Boxes with less than two pixels of a side in the picture are left out.
    """
    if result.detections is None:
        return ()
    width_px, height_px = result.frame.width_px, result.frame.height_px
    found = [d for d in result.detections.detections() if not crops.labels or d.class_name in crops.labels]
    found.sort(key=lambda detection: -detection.confidence)
    regions: list[Box] = []
    for detection in found:
        left, top, right, bottom = detection.xyxy
        across, down = (right - left) * crops.margin, (bottom - top) * crops.margin
        box = (
            max(0.0, left - across),
            max(0.0, top - down),
            min(float(width_px), right + across),
            min(float(height_px), bottom + down),
        )
        if box[2] - box[0] >= _SMALLEST_PX and box[3] - box[1] >= _SMALLEST_PX:
            regions.append(box)
        if len(regions) == crops.limit:
            break
    return tuple(regions)


def joined(results: Sequence[Result], regions: Sequence[Box], class_names: tuple[str, ...]) -> Result:
    """One result of the whole frame from one per region.

    Boxes are already in the frame's pixels. A class of a whole crop becomes a box: the crop's own, with the best class
    and its confidence; `class_names` are those classes by id. Of scalars, the largest counts.
    """
    boxes, confidences, ids = array("f"), array("f"), array("i")
    scalars: dict[str, float] = {}
    names = class_names
    for result, region in zip(results, regions, strict=True):
        if result.detections is not None:
            boxes.frombytes(result.detections.xyxy)
            confidences.frombytes(result.detections.confidence)
            ids.frombytes(result.detections.class_id)
            names = result.detections.class_names or names
        if result.classifications:
            best = max(result.classifications, key=lambda one: one.confidence)
            boxes.extend(region)
            confidences.append(best.confidence)
            ids.append(best.class_id)
        for name, value in result.scalars.items():
            scalars[name] = max(value, scalars.get(name, value))
    return msgspec.structs.replace(
        results[0],
        detections=Detections(
            xyxy=boxes.tobytes(), confidence=confidences.tobytes(), class_id=ids.tobytes(), class_names=names
        ),
        classifications=(),
        scalars=scalars,
        score_map=None,
        late=any(result.late for result in results),
    )
