"""The records of known models, read from `known.toml`, and the search among them by name."""

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import msgspec

from penstock.models.errors import ModelError, load_error

PERMISSIVE = ("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause")


class KnownModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model that can be fetched."""

    name: str
    """what `penstock models get` calls it; its file is `NAME.onnx`"""
    title: str
    task: str
    """`detection`, `faces` or `classification`"""
    url: str
    licence: str
    """SPDX identifier"""
    licence_url: str
    source: str
    """who publishes it"""
    size_bytes: int = 0
    """0 where unknown"""
    sha256: str = ""
    """hex; empty where nobody has stated it"""
    recommended: bool = False
    note: str = ""

    @property
    def file_name(self) -> str:
        return f"{self.name}.onnx"


@cache
def known_models() -> Mapping[str, KnownModel]:
    """All of them by name, the recommended first."""
    text = files(__package__).joinpath("known.toml").read_text(encoding="utf-8")
    entries = {name: {"name": name, **entry} for name, entry in tomllib.loads(text).items()}
    models = msgspec.convert(entries, dict[str, KnownModel])
    return dict(sorted(models.items(), key=lambda item: not item[1].recommended))


def known_model(name: str) -> KnownModel:
    """The one called `name`; raises ModelError that suggests the nearest."""
    models = known_models()
    if name in models:
        return models[name]
    raise unknown_model(name)


def unknown_model(name: str) -> ModelError:
    """The error for a name that the catalogue does not have."""
    near = difflib.get_close_matches(name, known_models(), n=1)
    advice = f"Did you mean {near[0]!r}?" if near else f"Known models: {', '.join(known_models())}"
    return load_error(f"there is no model {name!r} in the catalogue", advice)
