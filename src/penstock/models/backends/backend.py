"""The shape of every runtime: read a file, say what it takes and gives, compile it for a number of streams.

Reading and compiling are apart because the head is chosen in between: only shapes and metadata tell which
picture the network wants, and only then can the conversion from 8-bit pixels be built into it.
"""

import enum
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from penstock.models.errors import load_error

DEFAULT_SIDE_PX = 640
"""width and height for networks that take any and whose metadata names none"""
MAX_BATCH = 8
"""pictures of one call, for networks that leave it open: beyond it, the first would wait too long for the last"""

_COLOURS = (1, 3)


class Layout(enum.StrEnum):
    """Order of a picture input's dimensions."""

    NCHW = "nchw"
    NHWC = "nhwc"


class TensorInfo(msgspec.Struct, frozen=True):
    """One input or output; a dimension is None where the file leaves it open."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name} {format_shape(self.shape)}"


class PictureInput(msgspec.Struct, frozen=True):
    """The picture a network takes, as its file says: size, channels and the order of dimensions."""

    name: str
    width_px: int
    height_px: int
    channels: int
    layout: Layout


class Normalisation(msgspec.Struct, frozen=True):
    """What is done to 8-bit values before the network: (value - mean) / divisor.

    A number goes for all channels, a tuple has one per channel, in the order of the view's.
    """

    mean: float | tuple[float, ...] = 0.0
    divisor: float | tuple[float, ...] = 1.0


class Network(Protocol):
    """A compiled network. Each stream has its own buffers and is used by one thread at a time."""

    @property
    def streams(self) -> int: ...

    @property
    def max_batch(self) -> int:
        """Most pictures of one call; 1 where the file settles the batch dimension, or a batch gains nothing here."""
        ...

    def infer(self, stream: int, pixels: NDArray[np.uint8]) -> Mapping[str, NDArray[Any]]:
        """Runs the network on `pixels`, uint8 height×width×channels, on the calling thread without the GIL.

        The pixels are copied first: the lease may end once this returns. Outputs are float32 by name in the
        shapes the file states, and stay valid until the next call with the same `stream`.
        """
        ...

    def infer_batch(self, stream: int, pictures: Sequence[NDArray[np.uint8]]) -> list[Mapping[str, NDArray[Any]]]:
        """As `infer`, for at most `max_batch` pictures in one call: one set of outputs per picture, in order, each with
        a batch of one."""
        ...

    def close(self) -> None:
        """Gives the memory back; the network is of no use afterwards."""
        ...


class NetworkFile(Protocol):
    """A file that was read: what it takes and gives, with a batch of one and every size settled."""

    @property
    def picture(self) -> PictureInput: ...

    @property
    def outputs(self) -> tuple[TensorInfo, ...]: ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the exporter wrote beside the weights (`names`, `imgsz`, `task`, …)."""
        ...

    def compile(self, normalisation: Normalisation, streams: int) -> Network:
        """Builds it for `streams` calls side by side on one core each; raises ModelError."""
        ...


class Backend(Protocol):
    """One runtime."""

    @property
    def name(self) -> str: ...

    @property
    def devices(self) -> tuple[str, ...]: ...

    def read(self, path: Path) -> NetworkFile:
        """Reads a network file; raises ModelError (`load_failed`) that names the path, the fault and a remedy."""
        ...


def settle_picture(path: Path, inputs: Sequence[TensorInfo], metadata: Mapping[str, str]) -> PictureInput:
    """The one picture a network takes; raises ModelError where its inputs are not one picture.

    Open dimensions become: batch 1, sides from the metadata's `imgsz` (height, width), else 640.
    """
    seen = ", ".join(str(info) for info in inputs) or "none"
    if len(inputs) != 1:
        raise load_error(
            f"{path}: the network takes {len(inputs)} inputs ({seen}), and only a single picture can be given to it",
            "Export it with one picture input",
        )
    info = inputs[0]
    layout = _layout_of(info.shape)
    if layout is None:
        raise load_error(
            f"{path}: input {info} is not one picture",
            "It must be 1×channels×height×width or 1×height×width×channels with 1 or 3 channels",
        )
    spatial = slice(2, 4) if layout is Layout.NCHW else slice(1, 3)
    channels = info.shape[1 if layout is Layout.NCHW else 3]
    assert channels is not None
    settled = [
        side if side is not None else default
        for side, default in zip(info.shape[spatial], _sides_from(metadata), strict=True)
    ]
    return PictureInput(info.name, width_px=settled[1], height_px=settled[0], channels=channels, layout=layout)


def format_shape(shape: Sequence[int | None]) -> str:
    """`1×3×416×416`, with `?` for a dimension left open."""
    return "×".join("?" if n is None else str(n) for n in shape)


def _layout_of(shape: Sequence[int | None]) -> Layout | None:
    if len(shape) != 4 or shape[0] not in (1, None):
        return None
    if shape[1] in _COLOURS:
        return Layout.NCHW
    return Layout.NHWC if shape[3] in _COLOURS else None


def _sides_from(metadata: Mapping[str, str]) -> tuple[int, int]:
    sides = [int(n) for n in re.findall(r"\d+", metadata.get("imgsz", ""))]
    if not sides or min(sides) < 1:
        return DEFAULT_SIDE_PX, DEFAULT_SIDE_PX
    return sides[0], sides[1] if len(sides) > 1 else sides[0]
