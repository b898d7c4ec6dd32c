"""All heads, and the choice among them: by name, or by what the network's outputs and metadata say."""

from collections.abc import Mapping

from penstock.models.backends.backend import PictureInput, TensorInfo
from penstock.models.errors import ModelError, load_error
from penstock.models.heads.anomaly import AnomalyHead
from penstock.models.heads.classification import ClassificationHead
from penstock.models.heads.end2end import End2EndHead
from penstock.models.heads.fastestdet import FastestDetHead
from penstock.models.heads.head import Head, HeadSpec
from penstock.models.heads.yolov8 import YoloV8Head
from penstock.models.heads.yolox import YoloxHead
from penstock.models.heads.yunet import YunetHead

AUTO = "auto"
HEADS: tuple[Head, ...] = (
    YoloxHead(),
    YoloV8Head(),
    End2EndHead(),
    YunetHead(),
    FastestDetHead(),
    ClassificationHead(),
    AnomalyHead(),
)
"""in this order: a YOLOX of one class has six columns, as end-to-end detectors do, but its rows are known"""


def choose_head(
    wanted: str,
    picture: PictureInput,
    outputs: tuple[TensorInfo, ...],
    metadata: Mapping[str, str],
    options: Mapping[str, float],
) -> HeadSpec:
    """The head called `wanted`, or for `auto` the first that knows the network.

    Raises ModelError: for a named head with its reason, for `auto` with the outputs seen and all heads known.
    """
    known = {head.name: head for head in HEADS}
    if wanted != AUTO:
        if wanted not in known:
            raise load_error(f"there is no head {wanted!r}", f"Known heads: {', '.join([AUTO, *known])}")
        found = known[wanted].recognise(picture, outputs, metadata, options)
        _check_options(known[wanted], options)
        return found
    reasons: list[str] = []
    for head in HEADS:
        try:
            found = head.recognise(picture, outputs, metadata, options)
        except ModelError as error:
            reasons.append(f"{head.name} ({head.expects}): {error.what}")
        else:
            _check_options(head, options)
            return found
    seen = ", ".join(str(info) for info in outputs) or "none"
    raise load_error(
        f"no head knows this network: input {picture.width_px}×{picture.height_px}×{picture.channels}, "
        f"outputs {seen}. Heads known: {'; '.join(reasons)}",
        "Export it as one of these, or name its head if it is one of them",
    )


def _check_options(head: Head, options: Mapping[str, float]) -> None:
    unknown = sorted(set(options) - set(head.options))
    if unknown:
        advice = f"Known options: {', '.join(head.options)}" if head.options else "It has none"
        raise load_error(f"there is no option {unknown[0]!r} of a model with head {head.name}", advice)
