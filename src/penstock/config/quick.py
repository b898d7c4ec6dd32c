"""A configuration from a few words on the command line, without a file.

Names are derived where none is given: a file's own name, `camera1`, `rule1`. `NAME=VALUE` names a thing.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.config.addresses import address_scheme, meant_address
from penstock.config.crosscheck import RuleCheck
from penstock.config.loader import LoadedConfig, ModelFile, finish, with_absolute_paths, with_model_files
from penstock.config.model_questions import ModelCheck
from penstock.config.problems import ConfigError, Problem, dotted
from penstock.config.validation import validate

_NAMED = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_-]*)=(?!=)(?P<value>.+)", re.DOTALL)
_COUNTED = re.compile(r"\bcount\s*\(\s*(?P<label>\"[^\"]*\"|'[^']*'|[^)\s]+)")


def quick_config(
    cameras: Sequence[str],
    models: Sequence[str] = (),
    rules: Sequence[str] = (),
    *,
    base: Path,
    settings: dict[str, Any] | None = None,
    rule_check: RuleCheck | None = None,
    model_check: ModelCheck | None = None,
    model_file: ModelFile | None = None,
    files: bool = True,
) -> LoadedConfig:
    """Cameras (addresses or files), ONNX files and rule texts as a configuration; raises ConfigError.

    Relative paths start at `base`. `settings` are keys of the top level, as a file would have them. Without a model,
    `motion` looks at the cameras, and rules may speak of nothing else; with one, `motion` is added where a rule does.
    """
    camera_entries = {name: {"url": value} for name, value in named(cameras, "camera", stems=True)}
    model_entries = {
        name: {"kind": "motion"} if value == "motion" else {"path": value}
        for name, value in named(models, "model", stems=True)
    }
    rule_entries = {name: {"when": value} for name, value in named(rules, "rule", stems=False)}
    problems = []
    speaks_of_motion = any(re.search(r"\bmotion\b", str(entry["when"])) for entry in rule_entries.values())
    if not models:
        for name, entry in rule_entries.items():
            others = [label for label in _counted(str(entry["when"])) if label != "motion"]
            if others:
                what = f"{str(entry['when'])!r} speaks of {others[0]!r}, and no model is given that could see one"
                problems.append(Problem("command line", f"--rule {name}", what, "add --model FILE.onnx"))
    elif speaks_of_motion:
        model_entries.setdefault("motion", {"kind": "motion"})
    if problems:
        raise ConfigError(problems)
    data: dict[str, Any] = {
        **(settings or {}),
        "cameras": camera_entries,
        "models": model_entries,
        "rules": rule_entries,
    }
    config, problems = validate(data, None)
    if config is None:
        raise ConfigError(problems)
    if model_file is not None:
        config, unknown = with_model_files(config, base.absolute(), model_file)
        if unknown:
            raise ConfigError([Problem("command line", dotted(f.path), f.what, f.suggestion) for f in unknown])
    config = with_absolute_paths(config, base.absolute())
    return finish(config, None, rule_check=rule_check, model_check=model_check, files=files)


def _counted(rule: str) -> list[str]:
    return [match.group("label").strip("\"'") for match in _COUNTED.finditer(rule)]


def named(values: Sequence[str], kind: str, *, stems: bool) -> list[tuple[str, str]]:
    """Each value with its name: the one given, a file's stem, or the kind and a number; no name twice."""
    found: list[tuple[str, str]] = []
    taken: set[str] = set()
    for number, given in enumerate(values, 1):
        match = _NAMED.fullmatch(given)
        value = match.group("value") if match else given
        if match:
            name = match.group("name")
            if name in taken:
                raise ConfigError([Problem("command line", f"--{kind} {name}", "the name is given twice")])
        elif stems and not address_scheme(value) and not meant_address(value, Path("/")):
            name = re.sub(r"[^A-Za-z0-9_-]+", "_", Path(value).stem).strip("_-")[:48] or f"{kind}{number}"
        else:
            name = f"{kind}{number}"
        unique, copy = name, 2
        while unique in taken:
            unique, copy = f"{name}_{copy}", copy + 1
        taken.add(unique)
        found.append((unique, value))
    return found
