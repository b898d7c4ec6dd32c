"""`penstock run`: from a file, from options or from nothing to a specification, and the run of it."""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from penstock.base.clock import SystemClock
from penstock.base.ids import boot_id, host_id, new_run_id
from penstock.base.units import parse_duration_ns
from penstock.cli.config_file import configuration_file
from penstock.cli.live_table import live_view
from penstock.cli.log_lines import LinesAboveTable
from penstock.cli.main import UsageProblem
from penstock.cli.models_commands import named_model_file
from penstock.cli.summary import print_summary
from penstock.config.loader import LoadedConfig, load_config
from penstock.config.quick import quick_config
from penstock.config.schema import Config
from penstock.contracts.specs import RunSpec
from penstock.contracts.times import ClockReading
from penstock.runtime.cost_book import CostBook
from penstock.runtime.memory_plan import memory_plan
from penstock.runtime.model_check import check_model
from penstock.runtime.rule_check import check_rule
from penstock.runtime.translation import run_spec

DATA_DIR = Path("penstock-data")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The command's arguments as they were typed."""

    config: Path | None = None
    cameras: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    for_text: str | None = None
    report: Path | None = None
    data_dir: Path | None = None
    isolation: str | None = None
    log_format: str | None = None
    log_level: str | None = None
    metrics_port: int | None = None
    quiet: bool = False


def run_command(options: RunOptions) -> int:
    """Runs until interrupted or `--for` is over, and returns the exit code."""
    if options.for_text is not None:
        duration_ns(options.for_text, "--for")
    return run_configured(configuration(options), options)


def run_configured(
    loaded: LoadedConfig, options: RunOptions, complete: Callable[[dict[str, Any]], None] | None = None
) -> int:
    """Runs a checked configuration; `complete` may add to the report before it is written and shown."""
    for_ns = None if options.for_text is None else duration_ns(options.for_text, "--for")
    errors = Console(stderr=True, highlight=False)
    for warning in loaded.warnings:
        errors.print(str(warning), style="yellow", markup=False, soft_wrap=True)
    config = with_options(loaded.config, options)
    if not config.rules:
        advice = "add one under `rules`" if options.config else 'add --rule "MotionLevel > 0.01 for 1s" or one like it'
        errors.print(f"There is no rule, so nothing will be an event; {advice}", style="yellow", markup=False)
    clock = SystemClock()
    console = Console(highlight=False)
    live = None if options.quiet else live_view(console, clock)
    one_terminal = live is not None and console.is_terminal and sys.stderr.isatty()
    if one_terminal and options.log_level is None:
        config = _quieter(config)
    from penstock.runtime import application  # noqa: PLC0415 - a mistake in the command is told without loading all

    spec = specification(config, clock)
    check_memory(spec)
    with LinesAboveTable(console) if one_terminal else contextlib.nullcontext():
        report = application.run(spec, isolation=config.isolation, for_ns=for_ns, live=live)
    if complete is not None:
        complete(report)
    path = options.report or Path(config.data_dir) / "report.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    if not options.quiet:
        print_summary(report, console, data_dir=Path(config.data_dir))
    return 0


def configuration(options: RunOptions) -> LoadedConfig:
    """What is to run; raises ConfigError or UsageProblem."""
    described = options.cameras or options.models or options.rules
    if options.config is not None:
        if described:
            raise UsageProblem(
                "a configuration file and --camera, --model or --rule do not go together; "
                "put them into the file, or leave the file out"
            )
        return load_config(
            configuration_file(options.config),
            os.environ,
            rule_check=check_rule,
            model_check=check_model,
            model_file=named_model_file,
        )
    if not options.cameras:
        if described:
            raise UsageProblem("no camera; add --camera URL_OR_FILE")
        raise UsageProblem(
            "nothing to run; name a configuration file, or add --camera URL_OR_FILE. "
            "To see it at work without a camera: penstock demo"
        )
    return quick_config(
        options.cameras,
        options.models,
        options.rules,
        base=Path.cwd(),
        settings={"data_dir": str(options.data_dir or DATA_DIR)},
        rule_check=check_rule,
        model_check=check_model,
        model_file=named_model_file,
    )


def with_options(config: Config, options: RunOptions) -> Config:
    """`config` with what the command line says otherwise."""
    update: dict[str, Any] = {}
    if options.data_dir is not None:
        update["data_dir"] = str(options.data_dir.absolute())
    if options.isolation is not None:
        update["isolation"] = options.isolation
    logging = {"format": options.log_format, "level": options.log_level}
    update["logging"] = config.logging.model_copy(update={key: value for key, value in logging.items() if value})
    if options.metrics_port is not None:
        update["metrics"] = config.metrics.model_copy(update={"port": options.metrics_port, "enabled": True})
    return config.model_copy(update=update)


def specification(config: Config, clock: SystemClock) -> RunSpec:
    """The run that `config` describes, begun now."""
    utc_ns = clock.utc_ns()
    return run_spec(
        config,
        host_id=host_id(),
        boot_id=boot_id(),
        run_id=new_run_id(utc_ns),
        clock=ClockReading(clock.clock_id, clock.now_ns(), utc_ns),
        cores=len(os.sched_getaffinity(0)),
    )


def check_memory(spec: RunSpec) -> None:
    """Raises UsageProblem, with the arithmetic, where the run would need more memory than it is given."""
    if not spec.memory_budget_bytes:
        return
    plan = memory_plan(spec, CostBook.read(spec.data_dir))
    if not plan.fits:
        raise UsageProblem(plan.refusal())


def _quieter(config: Config) -> Config:
    """Beside a live table on the same terminal, only what needs attention."""
    level = "warning" if config.logging.level == "info" else config.logging.level
    return config.model_copy(update={"logging": config.logging.model_copy(update={"level": level})})


def duration_ns(text: str, option: str) -> int:
    """`30s`, `2m` or a number of seconds; raises UsageProblem that names `option`."""
    try:
        found_ns = parse_duration_ns(text) if not text.replace(".", "", 1).isdigit() else round(float(text) * 1e9)
    except ValueError as error:
        raise UsageProblem(f"{option}: {error}") from None
    if found_ns <= 0:
        raise UsageProblem(f"{option}: must be above zero")
    return found_ns
