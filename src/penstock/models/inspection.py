"""Tells what is in a model file, which head reads it, and what to write into a configuration to use it."""

import hashlib
from pathlib import Path

import msgspec

from penstock.contracts.frames import ViewSpec
from penstock.contracts.specs import ModelSpec
from penstock.models.class_names import names_for
from penstock.models.errors import ModelError
from penstock.models.heads.catalogue import HEADS, choose_head
from penstock.models.loading import choose_backend
from penstock.models.onnx_summary import OnnxSummary, read_summary


class Recognised(msgspec.Struct, frozen=True):
    """How Penstock would run the file."""

    head: str
    backend: str
    view: ViewSpec
    class_names: tuple[str, ...]


class HeadKnown(msgspec.Struct, frozen=True):
    name: str
    expects: str


class Inspection(msgspec.Struct, frozen=True):
    """Everything that can be said of a file without running it."""

    path: Path
    size_bytes: int
    sha256: str
    file: OnnxSummary
    recognised: Recognised | None
    """None where no head reads it"""
    why_not: str
    """empty where one does"""
    heads: tuple[HeadKnown, ...]
    """all there are"""
    snippet: str
    """lines for a configuration; empty where no head reads it"""


def inspect_model(path: Path, *, head: str = "auto", backend: str = "auto") -> Inspection:
    """Reads `path`; raises ModelError where it is no ONNX file, or no such backend is there."""
    summary = read_summary(path)
    recognised, why_not = None, ""
    spec = ModelSpec(name=path.stem, path=str(path), head=head, backend=backend)
    try:
        runtime = choose_backend(spec)
        file = runtime.read(path)
        found = choose_head(spec.head, file.picture, file.outputs, file.metadata, spec.options)
        names = names_for(found.class_count, (), found.class_names)
        recognised = Recognised(found.head, runtime.name, found.view, names)
    except ModelError as error:
        why_not = str(error)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Inspection(
        path=path,
        size_bytes=path.stat().st_size,
        sha256=digest,
        file=summary,
        recognised=recognised,
        why_not=why_not,
        heads=tuple(HeadKnown(head.name, head.expects) for head in HEADS),
        snippet=_snippet(path) if recognised else "",
    )


def _snippet(path: Path) -> str:
    name = "".join(c if c.isalnum() or c in "_-" else "_" for c in path.stem).strip("_-")[:48] or "model"
    return f"models:\n  {name}:\n    path: {path.resolve()}\n"
