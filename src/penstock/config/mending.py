"""Makes a configuration that can be checked further out of one with unknown keys, so that one look tells all mistakes.

An unknown key that is nearly a known one is taken for it, as its suggestion does; others are left out. Only
the checks across keys see the result: nothing runs with it.
"""

import copy
import difflib
from typing import Any

from pydantic import ValidationError

from penstock.config.document import Document
from penstock.config.problems import KeyPath
from penstock.config.schema import Config
from penstock.config.walk import annotation_at, is_section, keys_of


def mend(data: Any, document: Document) -> Config | None:
    """What `data` would be without its unknown keys; None where anything else is wrong with it."""
    unknown = _unknown_keys(data)
    if not unknown:
        return None
    for rename in (True, False):
        mended = copy.deepcopy(data)
        renamed = [path for path in unknown if _replaced(mended, path, rename)]
        try:
            config = Config.model_validate(mended)
        except ValidationError:
            continue
        for path in renamed:
            _move_places(document, path)
        return config
    return None


def _unknown_keys(data: Any) -> list[KeyPath]:
    """Paths of the unknown keys; none where there are other mistakes as well, or no mistakes."""
    try:
        Config.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        if all(detail["type"] == "extra_forbidden" for detail in details):
            return [detail["loc"] for detail in details]
    return []


def _replaced(data: Any, path: KeyPath, rename: bool) -> bool:
    """Takes the key at `path` out of `data`; whether its value went to the key that was probably meant."""
    for part in path[:-1]:
        data = data[part]
    value = data.pop(path[-1], None)
    meant = _meant(path)
    if not rename or value is None or meant is None or meant in data:
        return False
    data[meant] = value
    return True


def _meant(path: KeyPath) -> str | None:
    section = annotation_at(Config, path[:-1])
    known = [key for key, _ in keys_of(section)] if is_section(section) else []
    near = difflib.get_close_matches(str(path[-1]).lower(), known, n=1, cutoff=0.6)
    return near[0] if near else None


def _move_places(document: Document, path: KeyPath) -> None:
    """What is found at the key that was meant is told where the unknown one stands."""
    meant = (*path[:-1], str(_meant(path)))
    for place in [place for place in document.entries if place[: len(path)] == path]:
        moved = (*meant, *place[len(path) :])
        document.entries[moved] = document.entries[place]
        if place in document.inherited:
            document.inherited[moved] = document.inherited[place]
