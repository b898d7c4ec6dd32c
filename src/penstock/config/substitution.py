"""Replaces `${NAME}` by the environment and `{name}` by a camera's values, in one pass over what the file says.

One pass, so that what comes out of the environment (a password, say) is never itself searched for braces. Of
every text there are two results: the real one, and one to show, in which variables of the environment stay names.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.config.problems import closest

_VARIABLE = r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?"
_PLACEHOLDER = r"\{\{(?P<escaped>[A-Za-z_][A-Za-z0-9_]*)\}\}|\{(?P<value>[A-Za-z_][A-Za-z0-9_]*)\}"
_VARIABLES = re.compile(_VARIABLE)
_BOTH = re.compile(f"{_VARIABLE}|{_PLACEHOLDER}")
VALUE_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
VARIABLE_TEXT = r"\$\{"
"""Finds texts that have (or may have) a variable in them, also where JSON Schema asks"""
PLACEHOLDER_TEXT = r"\{[A-Za-z_][A-Za-z0-9_]*\}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be replaced; `within` is offset and length in the text."""

    what: str
    advice: str
    within: tuple[int, int]
    placeholder: bool


@dataclass(frozen=True, slots=True)
class Substituted:
    """A text after replacement."""

    text: str
    shown: str
    """as `text`, with `${NAME}` where the environment gave the value"""
    found: Mapping[str, str]
    """names of the environment's variables in it, with their values"""
    used: frozenset[str]
    """names of placeholders in it"""
    troubles: tuple[Trouble, ...]


def has_placeholder(text: str) -> bool:
    """Whether `substitute` with values would do more than without."""
    return any(match["value"] or match["escaped"] for match in _BOTH.finditer(text))


def substitute(text: str, environ: Mapping[str, str], values: Mapping[str, tuple[str, str]] | None) -> Substituted:
    """Replaces variables, and with `values` (each a real text and one to show) placeholders too.

    What cannot be replaced stays as it is written, and is told in `troubles`.
    """
    real: list[str] = []
    shown: list[str] = []
    found: dict[str, str] = {}
    used: set[str] = set()
    troubles: list[Trouble] = []
    end = 0
    for match in (_VARIABLES if values is None else _BOTH).finditer(text):
        real.append(text[end : match.start()])
        shown.append(text[end : match.start()])
        end = match.end()
        groups = match.groupdict()
        one, shown_one = _replacement(match.group(), groups, environ, values or {})
        name = groups["name"]
        if name is not None and one is not None and one == environ.get(name):
            found[name] = one
        if placeholder := groups.get("value"):
            used.add(placeholder)
        if one is None:
            what, advice = _trouble(groups, environ, values or {})
            within = (match.start(), len(match.group()))
            troubles.append(Trouble(what, advice, within, placeholder is not None))
        real.append(match.group() if one is None else one)
        shown.append(match.group() if one is None else shown_one)
    return Substituted(
        "".join([*real, text[end:]]), "".join([*shown, text[end:]]), found, frozenset(used), tuple(troubles)
    )


def _replacement(
    whole: str, groups: Mapping[str, str | None], environ: Mapping[str, str], values: Mapping[str, tuple[str, str]]
) -> tuple[str | None, str]:
    if whole == "$${":
        return "${", "$${"
    if (escaped := groups.get("escaped")) is not None:
        return f"{{{escaped}}}", f"{{{escaped}}}"
    if (placeholder := groups.get("value")) is not None:
        return values.get(placeholder, (None, ""))
    name, default = groups["name"], groups["default"]
    if name is None:
        return None, ""
    value = environ.get(name)
    if default is not None and not value:
        return default, default
    return value, f"${{{name}}}"


def _trouble(
    groups: Mapping[str, str | None], environ: Mapping[str, str], values: Mapping[str, tuple[str, str]]
) -> tuple[str, str]:
    placeholder, name = groups.get("value"), groups["name"]
    if placeholder is not None:
        if placeholder in environ or placeholder.isupper():
            return (
                f"{{{placeholder}}} is not among the camera's values",
                f"a variable of the environment is written ${{{placeholder}}}",
            )
        near = closest(placeholder, sorted(values.keys() - {"name"}))
        advice = f"write `values: {{{placeholder}: …}}`, or {{{{{placeholder}}}}} for the braces themselves"
        return f"{{{placeholder}}} is not among the camera's values", near if near.startswith("did") else advice
    if name is not None:
        return f"the environment variable {name} is not set", f"set it, or write ${{{name}:-default}}"
    return "unfinished ${…}", "write ${NAME} or ${NAME:-default}, and $${ for the signs themselves"
