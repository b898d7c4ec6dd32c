"""Is there a file, can it be read, and what kind of network is in it: asked before a runtime is."""

import mmap
from pathlib import Path

from penstock.models.errors import load_error

NOT_ONNX = "Give an .onnx file; one that was cut short must be downloaded or exported again"
NOT_RUNNABLE = "Export it with standard ONNX operators (opset 11 to 17 is a safe choice)"


IR_SUFFIX = ".xml"
"""of OpenVINO's own format, whose weights lie beside it"""


def parts_of(path: Path) -> tuple[Path, ...]:
    """The files that a network consists of: an .xml of OpenVINO has its weights in a .bin beside it."""
    return (path, path.with_suffix(".bin")) if path.suffix == IR_SUFFIX else (path,)


def check_readable(path: Path) -> None:
    """Raises ModelError where there is nothing to read."""
    if not path.exists():
        raise load_error(f"{path}: no such file", "Check the model's path")
    if path.is_dir():
        raise load_error(f"{path}: is a folder, not a model file", NOT_ONNX)
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise load_error(f"{path}: cannot be read ({error.strerror})", "Check the file's permissions") from None
    if empty:
        raise load_error(f"{path}: the file is empty", NOT_ONNX)


def is_statically_quantised(path: Path) -> bool:
    """Whether activations have fixed scales (QDQ or integer operators), by the names of the operators in the file.

    A protobuf stores them as plain text, so no ONNX library is needed. Dynamic quantisation, which chooses scales
    for every picture, counts as not quantised. The file must be readable.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        fixed = data.find(b"DequantizeLinear") >= 0 or data.find(b"QLinearConv") >= 0
        return fixed and data.find(b"DynamicQuantizeLinear") < 0
