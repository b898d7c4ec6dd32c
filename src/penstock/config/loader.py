"""From a file to a checked configuration, or to everything that is wrong with it.

Relative paths become absolute here, from the folder of the file: what runs later need not know where it was.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.config import crosscheck
from penstock.config.addresses import PLUGIN, address_scheme, meant_address
from penstock.config.crosscheck import Finding, RuleCheck, plugin_file
from penstock.config.document import Document, parse
from penstock.config.inheritance import empty_values, inherit
from penstock.config.lane_checks import check_lanes
from penstock.config.mending import mend
from penstock.config.model_questions import ModelAnswer, ModelCheck, check_models
from penstock.config.problems import ConfigError, Excerpt, Problem, dotted, told_once
from penstock.config.schema import CameraConfig, Config, ModelConfig
from penstock.config.validation import validate, validate_written

MAX_BYTES = 1024 * 1024
_SQLITE = "sqlite:///"


ModelFile = Callable[[str, Path], str]
"""(`path` of a model as written, folder of relative paths) to the file that it stands for; raises LookupError that says
what to do"""


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that can run, and what is odd about it."""

    config: Config
    warnings: tuple[Problem, ...] = ()
    document: Document | None = None
    """the file, with the places of everything in it; None for what was said on the command line"""


def load_config(
    path: Path,
    environ: Mapping[str, str],
    *,
    rule_check: RuleCheck | None = None,
    model_check: ModelCheck | None = None,
    model_file: ModelFile | None = None,
    files: bool = True,
    added: Mapping[str, Mapping[str, Any]] | None = None,
) -> LoadedConfig:
    """Reads `path` and checks it; `files` also looks for models, videos and the data folder on this host.

    `added` are cameras and models that the file does not have, as it would have them: `{"cameras": {NAME: {…}}}`.
    Raises ConfigError with every problem that was found. Names, files and rules are checked too where nothing is
    wrong but unknown keys and texts that could not be replaced; other mistakes come first.
    """
    document = parse(_read(path), str(path), environ)
    if document.data is None and document.problems:
        raise ConfigError(document.problems)
    problems = _with_added(document, added or {})
    for empty in empty_values(document):
        document.problems.append(document.problem(empty, "has no value", "give it one, or remove the line"))
    problems += validate_written(document)
    data = inherit(document)
    config, more = validate(data, document)
    problems = [*document.problems, *problems, *more]
    mended = config or mend(data, document)
    findings: list[Problem] = []
    if mended is not None:
        base = path.resolve().parent
        if model_file is not None:
            mended, unknown = with_model_files(mended, base, model_file)
            problems += [_located(finding, document) for finding in unknown]
        mended = with_absolute_paths(mended, base)
        findings = found(mended, document, rule_check=rule_check, model_check=model_check, files=files)
    return _judged(config and mended, problems, findings, document)


def _with_added(document: Document, added: Mapping[str, Mapping[str, Any]]) -> list[Problem]:
    """Puts what was said beside the file into its data; what the file has already is not replaced."""
    problems = []
    for section, entries in added.items():
        if not isinstance(document.data, dict) or not isinstance(document.data.setdefault(section, {}), dict):
            continue  # told by validation
        for name, entry in entries.items():
            if name in document.data[section]:
                what, advice = "the file has one of that name", "choose another name"
                problems.append(Problem("command line", dotted((section, name)), what, advice))
            else:
                document.data[section][name] = dict(entry)
    return problems


def finish(
    config: Config,
    document: Document | None,
    *,
    rule_check: RuleCheck | None,
    model_check: ModelCheck | None = None,
    files: bool,
) -> LoadedConfig:
    """The checks across keys; raises ConfigError."""
    findings = found(config, document, rule_check=rule_check, model_check=model_check, files=files)
    return _judged(config, [], findings, document)


def found(
    config: Config,
    document: Document | None,
    *,
    rule_check: RuleCheck | None,
    model_check: ModelCheck | None = None,
    files: bool,
) -> list[Problem]:
    """What the checks across keys find."""
    findings: list[Finding] = list(crosscheck.check(config))
    if files:
        findings += crosscheck.check_files(config)
    answers: dict[str, ModelAnswer] = {}
    if model_check is not None:
        answers = dict(check_models(config, model_check, files=files))
        findings += crosscheck.model_findings(config, answers)
    findings += check_lanes(config, answers, rule_check)
    if rule_check is not None:
        findings += crosscheck.check_rules(config, rule_check, answers, in_file=document is not None)
    return [_located(finding, document) for finding in findings]


def _judged(
    config: Config | None, problems: list[Problem], findings: list[Problem], document: Document | None
) -> LoadedConfig:
    """The configuration, unless something is wrong; what is told already is not told again as a finding."""
    told = [problem.path for problem in problems if not problem.warning]
    new = [finding for finding in findings if not any(_is_at_or_below(path, finding.path) for path in told)]
    everything = told_once([*problems, *new])
    if config is None or any(not problem.warning for problem in everything):
        raise ConfigError(everything)
    return LoadedConfig(config, tuple(everything), document)


def _is_at_or_below(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def with_model_files(config: Config, base: Path, model_file: ModelFile) -> tuple[Config, list[Finding]]:
    """`config` with names of known models replaced by their files, and what could not be."""
    models: dict[str, ModelConfig] = {}
    findings: list[Finding] = []
    for name, model in config.models.items():
        models[name] = model
        try:
            if model.path:
                models[name] = model.model_copy(update={"path": model_file(model.path, base)})
        except LookupError as error:
            what, _, advice = str(error.args[0]).partition("; ")
            findings.append(Finding(("models", name, "path"), what, advice))
    return config.model_copy(update={"models": models}), findings


def with_absolute_paths(config: Config, base: Path) -> Config:
    """Every path of `config` made absolute from the folder `base`; addresses stay as they are."""

    def absolute(text: str) -> str:
        return str(base / Path(text).expanduser()) if text and not address_scheme(text) else text

    def absolute_plugin(text: str) -> str:
        file = plugin_file(text)
        return absolute(file) + text.removeprefix(file) if file else text

    def absolute_source(text: str) -> str:
        if text.startswith(PLUGIN):
            return PLUGIN + absolute_plugin(text.removeprefix(PLUGIN))
        return text if meant_address(text, base) else absolute(text)

    def camera(entry: CameraConfig) -> CameraConfig:
        inputs = tuple(
            stream.model_copy(update={"path": absolute_source(stream.path), "tls_ca": absolute(stream.tls_ca)})
            for stream in entry.inputs
        )
        common = entry.input.model_copy(update={"tls_ca": absolute(entry.input.tls_ca)})
        return entry.model_copy(update={"url": absolute_source(entry.url), "inputs": inputs, "input": common})

    database = config.database
    if database.startswith(_SQLITE) and not database.startswith(f"{_SQLITE}/") and database != f"{_SQLITE}:memory:":
        database = _SQLITE + absolute(database.removeprefix(_SQLITE))
    return config.model_copy(
        update={
            "data_dir": absolute(config.data_dir),
            "events_file": absolute(config.events_file),
            "database": database,
            "cameras": {name: camera(entry) for name, entry in config.cameras.items()},
            "models": {
                name: model.model_copy(update={"path": absolute(model.path), "plugin": absolute_plugin(model.plugin)})
                for name, model in config.models.items()
            },
        }
    )


def _located(finding: Finding, document: Document | None) -> Problem:
    if document is None:
        excerpt = Excerpt(finding.text, *finding.within) if finding.within and "\n" not in finding.text else None
        return Problem(
            "command line",
            dotted(finding.path),
            finding.what,
            finding.suggestion,
            excerpt=excerpt,
            warning=finding.warning,
        )
    return document.problem(
        finding.path,
        finding.what,
        finding.suggestion,
        at_key=finding.at_key,
        within=finding.within,
        warning=finding.warning,
    )


def _read(path: Path) -> str:
    def unreadable(what: str, suggestion: str) -> ConfigError:
        return ConfigError([Problem(str(path), "", what, suggestion)])

    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise unreadable("there is no such file", "check the name, or run without a file") from None
    except IsADirectoryError:
        raise unreadable("it is a folder", "name the YAML file in it") from None
    except OSError as error:
        raise unreadable(f"it cannot be read: {error.strerror}", "check its rights") from None
    if len(data) > MAX_BYTES:
        raise unreadable(f"it is larger than {MAX_BYTES} bytes", "a configuration is text; is this the right file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise unreadable(f"line {line} is not UTF-8 text", "save it as UTF-8") from None


def problems_text(problems: Iterable[Problem]) -> str:
    """All of `problems`, one after another."""
    return "\n".join(str(problem) for problem in problems)
