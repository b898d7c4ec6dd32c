"""Quantises a network to 8 bits after training, with NNCF, from pictures of the cameras it will see.

Post-training quantisation with fixed scales (Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018), weights per channel, activations per tensor, corrected for the shift of
means. ONNX in, ONNX with QuantizeLinear and DequantizeLinear pairs out.
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.specs import ModelSpec
from penstock.models.backends.backend import Layout, Normalisation, PictureInput
from penstock.models.errors import load_error
from penstock.models.heads.catalogue import choose_head
from penstock.models.loading import choose_backend

INSTALL = "Install it with: pip install penstock[quantize]"


def check_installed() -> None:
    """Raises ModelError where what quantises is not installed."""
    missing = [name for name in ("nncf", "onnx") if find_spec(name) is None]
    if missing:
        raise load_error(f"quantising needs {' and '.join(missing)}", INSTALL)


def quantise(spec: ModelSpec, pictures: Sequence[NDArray[np.uint8]], output: Path) -> None:
    """Writes the 8-bit form of `spec`'s file to `output`, scaled by `pictures` (height×width×channels as the view of
    the model has them).

    Raises ModelError where the file is no float network that one of our heads reads, or NNCF gives it up.
    """
    check_installed()
    # Imported here: a second and 100 MB that no other command pays.
    import onnx  # noqa: PLC0415

    from penstock.models.quantisation.graph import (  # noqa: PLC0415
        concatenations,
        last_layers,
        prepared,
        set_metadata,
        with_unsigned_activations,
    )

    path = Path(spec.path)
    file = choose_backend(spec).read(path)
    head = choose_head(spec.head, file.picture, file.outputs, file.metadata, spec.options)
    model = onnx.load(str(path))
    metadata = [(entry.key, entry.value) for entry in model.metadata_props]
    model = prepared(model)
    nncf = _nncf()
    items = [_Lazy(picture, file.picture, head.normalisation) for picture in pictures]
    try:
        with _quietly():
            result = nncf.quantize(
                model,
                nncf.Dataset(items, lambda item: {file.picture.name: item.tensor()}),
                preset=nncf.QuantizationPreset.MIXED,
                subset_size=len(items),
                ignored_scope=nncf.IgnoredScope(
                    names=sorted({*last_layers(model), *concatenations(model)}), validate=False
                ),
            )
    except Exception as error:
        raise load_error(
            f"{path}: NNCF cannot quantise it ({str(error)[:300] or type(error).__name__})",
            "Export it anew with opset 13 and standard operators",
        ) from error
    result = with_unsigned_activations(result)
    set_metadata(result, metadata)
    onnx.save(result, str(output))


def tensor_of(pixels: NDArray[np.uint8], picture: PictureInput, normalisation: Normalisation) -> NDArray[np.float32]:
    """What the network itself takes: float32, normalised, in its own order of dimensions, a batch of one."""
    values = pixels.reshape(picture.height_px, picture.width_px, picture.channels).astype(np.float32)
    values -= np.array(normalisation.mean, np.float32)
    values /= np.array(normalisation.divisor, np.float32)
    if picture.layout is Layout.NCHW:
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None])
    return values[None]


class _Lazy:
    """One picture that becomes floats only while NNCF looks at it: floats take four times the memory."""

    def __init__(self, pixels: NDArray[np.uint8], picture: PictureInput, normalisation: Normalisation) -> None:
        self._pixels = pixels
        self._picture = picture
        self._normalisation = normalisation

    def tensor(self) -> NDArray[np.float32]:
        return tensor_of(self._pixels, self._picture, self._normalisation)


def _nncf() -> Any:
    # NNCF reports its use to its makers over the network, unless this is set before it is imported.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415

    return nncf


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """NNCF tells of every operator and draws progress bars on standard output, which belongs to the result."""
    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)
