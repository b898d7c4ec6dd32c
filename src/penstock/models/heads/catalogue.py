"""All heads, and the choice among them: by name, or by what the network's outputs and metadata say."""

from collections.abc import Mapping

from penstock.models.backends.backend import PictureInput, TensorInfo
from penstock.models.errors import ModelError, load_error
from penstock.models.heads.head import Head, HeadSpec
from penstock.models.heads.yolov8 import YoloV8Head
from penstock.models.heads.yolox import YoloxHead

AUTO = "auto"
HEADS: tuple[Head, ...] = (YoloxHead(), YoloV8Head())


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
        return known[wanted].recognise(picture, outputs, metadata, options)
    reasons: list[str] = []
    for head in HEADS:
        try:
            return head.recognise(picture, outputs, metadata, options)
        except ModelError as error:
            reasons.append(f"{head.name} ({head.expects}): {error.what}")
    seen = ", ".join(str(info) for info in outputs) or "none"
    raise load_error(
        f"no head knows this network: input {picture.width_px}×{picture.height_px}×{picture.channels}, "
        f"outputs {seen}. Heads known: {'; '.join(reasons)}",
        "Export it as one of these, or name its head if it is one of them",
    )
