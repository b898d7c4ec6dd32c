"""The folder of fetched models, and the step from a name in a configuration to the file that it stands for.

The folder follows the XDG base directory specification: `$XDG_DATA_HOME/penstock/models`, by default below
`~/.local/share`. A name stands for a catalogue model only where it is bare (no folder, no ending) and no file of that
name lies there: files always win.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.models.catalogue.known import known_models
from penstock.models.errors import load_error


class FetchedModel(msgspec.Struct, frozen=True):
    """One ONNX file in the models folder."""

    name: str
    path: Path
    size_bytes: int
    known: bool
    """the catalogue has a model of this name"""


def models_folder(environ: Mapping[str, str]) -> Path:
    """Where models are fetched to unless `--to` says otherwise; it need not exist."""
    # Relative values are to be ignored, says the specification.
    base = environ.get("XDG_DATA_HOME", "")
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return (Path(base) if Path(base).is_absolute() else home / ".local" / "share") / "penstock" / "models"


def fetched_models(folder: Path) -> list[FetchedModel]:
    """The ONNX files in `folder` by name; none where there is no such folder."""
    known = known_models()
    if not folder.is_dir():
        return []
    return [
        FetchedModel(path.stem, path, path.stat().st_size, path.stem in known)
        for path in sorted(folder.glob("*.onnx"))
        if path.is_file()
    ]


def is_catalogue_name(text: str) -> bool:
    """Whether `text` is a bare name that the catalogue has."""
    return text in known_models()


def resolved(text: str, folder: Path, *, base: Path) -> str:
    """The file that `text` stands for: the fetched one for a catalogue name, `text` itself for anything else.

    `base` is where relative paths start. Raises ModelError where the name is known and the model not fetched.
    """
    if not is_catalogue_name(text) or (base / text).exists():
        return text
    path = folder / known_models()[text].file_name
    if not path.is_file():
        raise load_error(f"{text} is a known model that has not been fetched", f"Run: penstock models get {text}")
    return str(path)
