"""From a file to a checked configuration, or to everything that is wrong with it.

Relative paths become absolute here, from the folder of the file: what runs later need not know where it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.config import crosscheck
from penstock.config.crosscheck import Finding, RuleCheck, address_scheme
from penstock.config.document import Document, parse
from penstock.config.problems import ConfigError, Excerpt, Problem, dotted
from penstock.config.schema import CameraConfig, Config
from penstock.config.validation import validate

MAX_BYTES = 1024 * 1024
_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A configuration that can run, and what is odd about it."""

    config: Config
    warnings: tuple[Problem, ...] = ()


def load_config(
    path: Path,
    environ: Mapping[str, str],
    *,
    rule_check: RuleCheck | None = None,
    files: bool = True,
) -> LoadedConfig:
    """Reads `path` and checks it; `files` also looks for models, videos and the data folder on this host.

    Raises ConfigError with every problem that was found. Later checks run only where earlier ones found nothing:
    names are compared once the keys are known to be right.
    """
    document = parse(_read(path), str(path), environ)
    if document.data is None and document.problems:
        raise ConfigError(document.problems)
    config, problems = validate(document.data, document)
    problems = [*document.problems, *problems]
    if config is None or problems:
        raise ConfigError(problems)
    config = with_absolute_paths(config, path.resolve().parent)
    return finish(config, document, rule_check=rule_check, files=files)


def finish(config: Config, document: Document | None, *, rule_check: RuleCheck | None, files: bool) -> LoadedConfig:
    """The checks across keys; raises ConfigError."""
    findings: list[Finding] = list(crosscheck.check(config))
    if files:
        findings += crosscheck.check_files(config)
    if rule_check is not None:
        findings += crosscheck.check_rules(config, rule_check)
    problems = [_located(finding, document) for finding in findings]
    errors = [problem for problem in problems if not problem.warning]
    if errors:
        raise ConfigError(problems)
    return LoadedConfig(config, tuple(problems))


def with_absolute_paths(config: Config, base: Path) -> Config:
    """Every path of `config` made absolute from the folder `base`; addresses stay as they are."""

    def absolute(text: str) -> str:
        return str(base / Path(text).expanduser()) if text and not address_scheme(text) else text

    def camera(entry: CameraConfig) -> CameraConfig:
        inputs = tuple(stream.model_copy(update={"path": absolute(stream.path)}) for stream in entry.inputs)
        return entry.model_copy(update={"url": absolute(entry.url), "inputs": inputs})

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
                name: model.model_copy(update={"path": absolute(model.path)}) for name, model in config.models.items()
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
