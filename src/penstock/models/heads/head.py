"""The shape of every head: recognise a network, say which view it wants, turn its outputs into candidates.

Candidates are boxes in pixels of the view, before suppression: what is the same for every detector (suppression,
labels, mapping to the frame, packing) is done once, in `models.detector`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import output_error

Outputs = Mapping[str, NDArray[Any]]


class Candidates(NamedTuple):
    """N boxes above a floor of confidence, in the order of the network's places."""

    xyxy: NDArray[np.float32]
    """N×4: left, top, right, bottom in pixels of the view"""
    confidence: NDArray[np.float32]
    class_id: NDArray[np.int32]


class Decoder(Protocol):
    """Decodes one network's outputs. Has no state of its own between calls: streams may share it."""

    def candidates(self, outputs: Outputs, floor: float) -> Candidates:
        """Boxes whose confidence exceeds `floor`; raises ModelError (`bad_output`) for NaN, infinity or nonsense."""
        ...


class HeadSpec(msgspec.Struct, frozen=True):
    """What a head knows of one network."""

    head: str
    view: ViewSpec
    normalisation: Normalisation
    class_count: int
    class_names: tuple[str, ...]
    """from the metadata; empty where it names none"""
    decoder: Decoder


class Head(Protocol):
    """One family of detectors."""

    @property
    def name(self) -> str:
        """What `ModelSpec.head` calls it."""
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
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise output_error(
            f"output {name} holds values that are not finite numbers",
            "The weights are damaged, or the network was exported with a precision it does not bear",
        )
    picture: NDArray[np.float32] = values[0]
    return picture


def check_probabilities(highest: float, head: str) -> None:
    """Raises ModelError where the highest score cannot be a probability."""
    if highest > 1.001:
        raise output_error(
            f"{head}: scores reach {highest:.3g}, and probabilities end at 1",
            "If the network gives logits, set the model's option `logits: 1`",
        )


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Logits to probabilities; values far below zero give 0 without a warning."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-values)), dtype=np.float32)
