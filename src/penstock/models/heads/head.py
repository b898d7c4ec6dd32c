"""The shape of every head: recognise a network, say which view it wants, turn its outputs into what they mean.

There are three things a network can say of a picture, each with its decoder: boxes (`BoxDecoder`), classes of the
whole picture (`ClassDecoder`), how unusual it is (`AnomalyDecoder`). What follows (suppression, labels, mapping to
the frame, packing) is the same for all networks of a kind and is done once, by the model that the decoder goes to.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec
import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error, output_error

Outputs = Mapping[str, NDArray[Any]]

CONFIDENCE = 0.25
"""what exporters of YOLO networks use"""
IOU = 0.45


class Candidates(NamedTuple):
    """N boxes above a floor of confidence, in the order of the network's places."""

    xyxy: NDArray[np.float32]
    """N×4: left, top, right, bottom in pixels of the view"""
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int32]
    keypoints: NDArray[np.float32] | None = None
    """N×K×3: x and y in pixels of the view, and confidence"""


class Anomaly(NamedTuple):
    """How far a picture is from what is normal."""

    score: float
    anomalous: bool | None
    """None where the network does not decide"""
    scores: NDArray[np.float32] | None
    """height×width over the whole view, or None where the network says nothing of places"""


@runtime_checkable
class BoxDecoder(Protocol):
    """Decodes one network's outputs. Has no state of its own between calls: streams may share it."""

    def candidates(self, outputs: Outputs, floor: float) -> Candidates:
        """Boxes whose confidence exceeds `floor`; raises ModelError (`bad_output`) for NaN, infinity or nonsense."""
        ...


@runtime_checkable
class ClassDecoder(Protocol):
    """Decodes a classifier's output; without state of its own between calls, as all decoders."""

    def probabilities(self, outputs: Outputs) -> NDArray[np.float32]:
        """One probability per class; raises ModelError (`bad_output`) for NaN, infinity or nonsense."""
        ...


@runtime_checkable
class AnomalyDecoder(Protocol):
    """Decodes the outputs of a network that knows what is normal."""

    @property
    def decides(self) -> bool:
        """Whether `Anomaly.anomalous` is stated."""
        ...

    def anomaly(self, outputs: Outputs) -> Anomaly:
        """Raises ModelError (`bad_output`) for NaN and infinity."""
        ...


Decoder = BoxDecoder | ClassDecoder | AnomalyDecoder


class HeadSpec(msgspec.Struct, frozen=True):
    """What a head knows of one network."""

    head: str
    view: ViewSpec
    normalisation: Normalisation
    class_count: int | None
    """None where neither shapes nor metadata tell"""
    class_names: tuple[str, ...]
    """from the metadata; empty where it names none"""
    decoder: Decoder
    suppressed: bool = False
    """the network drops boxes that overlap itself"""
    confidence: float = CONFIDENCE
    """floor for boxes where the model's specification names none"""
    iou: float = IOU
    """greatest overlap of two boxes, likewise"""


class Head(Protocol):
    """One family of networks."""

    @property
    def name(self) -> str:
        """What `ModelSpec.head` calls it."""
        ...

    @property
    def options(self) -> tuple[str, ...]:
        """The options of `ModelSpec.options` that it understands."""
        ...

    @property
    def expects(self) -> str:
        """The outputs it knows, for people."""
        ...

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],
        options: Mapping[str, float],
    ) -> HeadSpec:
        """What to do with this network; raises ModelError (`load_failed`) that says why it is not of this family."""
        ...


def finite_output(outputs: Outputs, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The named output without its batch dimension; raises ModelError where a value is not a finite number.

    The extremes tell: NaN passes through minimum and maximum, and no array of flags has to be written.
    """
    values: NDArray[np.float32] = outputs[name]
    if values.shape != (1, *shape):
        raise output_error(f"output {name} has shape {values.shape} instead of {(1, *shape)}")
    check_finite(values, name)
    picture: NDArray[np.float32] = values[0]
    return picture


def check_finite(values: NDArray[Any], name: str) -> None:
    """Raises ModelError where a value of output `name` is not a finite number."""
    if not values.size:
        return
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise output_error(
            f"output {name} holds values that are not finite numbers",
            "The weights are damaged, or the network was exported with a precision it does not bear",
        )


def colour_picture(picture: PictureInput, head: str) -> None:
    """Raises ModelError where the network does not take a colour picture."""
    if picture.channels != 3:
        raise load_error(f"{head} takes colour pictures, and this network takes {picture.channels} channel")


def the_output(outputs: tuple[TensorInfo, ...], head: str) -> TensorInfo:
    """The only output; raises ModelError where there are others."""
    if len(outputs) != 1:
        raise load_error(f"{head} has one output, and this network has {len(outputs)}")
    return outputs[0]


def grid(width_px: int, height_px: int, stride_px: int) -> NDArray[np.float32]:
    """N×2 places (column, row) of one grid, row by row."""
    y, x = np.mgrid[: height_px // stride_px, : width_px // stride_px]
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float32)


def check_probabilities(highest: float, head: str, *, option: bool = True) -> None:
    """Raises ModelError where the highest score cannot be a probability; `option`: the head can take logits."""
    if highest > 1.001:
        raise output_error(
            f"{head}: scores reach {highest:.3g}, and probabilities end at 1",
            "If the network gives logits, set the model's option `logits: 1`"
            if option
            else "The network is not what it looks like: name its head, or export it again",
        )


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits to probabilities; values far below zero give 0 without a warning."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float32)
