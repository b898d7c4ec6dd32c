"""What `penstock models inspect` prints of one file."""

from collections.abc import Iterator

from penstock.base.units import format_size
from penstock.models.backends.backend import TensorInfo, format_shape
from penstock.models.inspection import Inspection

_CLASSES_SHOWN = 12
_QUANTISED = {
    "none": "no",
    "static": "static: fixed scales for weights and activations",
    "dynamic": "dynamic: scales are chosen anew for every picture, which is slow on processors",
}


def inspection_lines(found: Inspection) -> Iterator[str]:
    """Line by line, the snippet last."""
    file = found.file
    yield f"{found.path}: {format_size(found.size_bytes)}, sha256 {found.sha256}"
    opsets = ", ".join(f"{domain} {version}" for domain, version in file.opsets.items())
    yield f"made by     {file.producer or 'nobody who says so'}, opset {opsets}"
    for info in file.inputs:
        yield f"input       {_tensor(info)}"
    for info in file.outputs:
        yield f"output      {_tensor(info)}"
    types = ", ".join(f"{name} {count}" for name, count in file.weight_types.items())
    yield f"parameters  {file.parameters:,} ({types})"
    yield f"quantised   {_QUANTISED[file.quantisation]}"
    common = ", ".join(f"{name} {count}" for name, count in list(file.operators.items())[:8])
    yield f"operators   {sum(file.operators.values())}: {common}"
    for key, value in file.metadata.items():
        text = value if len(value) <= 200 else f"{value[:200]}… ({len(value)} characters)"
        yield f"metadata    {key} = {text}"
    yield ""
    if found.recognised is None:
        yield f"No head reads it: {found.why_not}"
        yield "Heads there are:"
        for head in found.heads:
            yield f"  {head.name}: {head.expects}"
        return
    view = found.recognised.view
    names = found.recognised.class_names
    yield f"head        {found.recognised.head}, on {found.recognised.backend}"
    yield f"view        {view.width_px}×{view.height_px} {view.format.value}, {view.fit.value.replace('_', ' ')}"
    more = f", … ({len(names)} in all)" if len(names) > _CLASSES_SHOWN else ""
    yield f"classes     {', '.join(names[:_CLASSES_SHOWN]) or 'none'}{more}"
    yield ""
    yield "To use it:"
    yield found.snippet.rstrip()


def _tensor(info: TensorInfo) -> str:
    return f"{info.name} {format_shape(info.shape)} {info.dtype}"
