"""The command `penstock`: its arguments, and how errors reach the person who typed it.

0 is success, 1 a failure, 2 a mistake in the command or the configuration, 130 an interrupt. Known errors are
told in their own words; others by their type, with `--debug` for where they happened. Every command imports what it
needs when it runs, so that `penstock version` and `--help` answer at once.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

app = typer.Typer(
    name="penstock",
    help="Real-time video inference: cameras and models in, timely events with their clips out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130


class LogFormat(StrEnum):
    HUMAN = "human"
    JSON = "json"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Isolation(StrEnum):
    PROCESS = "process"
    THREAD = "thread"


@app.callback()
def _all_commands(
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error happened.")] = False,
) -> None:
    """`--debug` is read by `main`, before there is a command to read it."""
    del debug


@app.command()
def run(
    config: Annotated[
        Path | None, typer.Argument(help="YAML file; see docs/configuration.md.", metavar="[CONFIG]")
    ] = None,
    camera: Annotated[
        list[str] | None,
        typer.Option("--camera", "-c", help="Address or video file, or NAME=ADDRESS; repeatable.", metavar="URL"),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="ONNX file, `motion`, or NAME=FILE; repeatable.", metavar="FILE"),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", "-r", help='Such as "count(person) >= 2 for 1s", or NAME=RULE; repeatable.', metavar="RULE"
        ),
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="End by itself after this long, such as 30s.", metavar="TIME")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report of the run here.", metavar="FILE.json")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of events, clips and database.")] = None,
    isolation: Annotated[Isolation | None, typer.Option(help="`thread` runs everything in one process.")] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="For people, or JSON lines.")] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="The least severe that is written.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /metrics and /health; 0 takes any.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No live table and no summary.")] = False,
) -> None:
    """Run cameras, models and rules until interrupted.

    With a CONFIG file, or with --camera, --model and --rule and no file. With neither, a demonstration runs: two
    cameras that Penstock draws itself, and a rule on motion.
    """
    from penstock.cli.run_command import RunOptions, run_command  # noqa: PLC0415

    options = RunOptions(
        config=config,
        cameras=tuple(camera or ()),
        models=tuple(model or ()),
        rules=tuple(rule or ()),
        for_text=for_,
        report=report,
        data_dir=data_dir,
        isolation=isolation.value if isolation else None,
        log_format=log_format.value if log_format else None,
        log_level=log_level.value if log_level else None,
        metrics_port=metrics_port,
        quiet=quiet,
    )
    raise typer.Exit(run_command(options))


@app.command()
def check(config: Annotated[Path, typer.Argument(help="YAML file to check.", metavar="CONFIG")]) -> None:
    """Check a configuration: keys, values, names, files and rules."""
    from penstock.cli.check_command import check_command  # noqa: PLC0415

    raise typer.Exit(check_command(config))


@app.command()
def probe(
    url: Annotated[str, typer.Argument(help="Address or video file.", metavar="URL")],
    for_: Annotated[str, typer.Option("--for", help="How long to listen.", metavar="TIME")] = "5s",
) -> None:
    """Connect to a camera and tell what it sends: codec, size, rate, GOP, time to connect, time basis."""
    from penstock.cli.probe_command import probe_command  # noqa: PLC0415

    raise typer.Exit(probe_command(url, for_))


@app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="The reference page instead.")] = False,
) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from penstock.cli.schema_command import schema_command  # noqa: PLC0415

    raise typer.Exit(schema_command(markdown=markdown))


@app.command()
def version() -> None:
    """Print the versions of Penstock and of what it is built on."""
    from penstock.cli.version_command import version_command  # noqa: PLC0415

    raise typer.Exit(version_command())


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs one command and ends the process with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    try:
        app([argument for argument in arguments if argument != "--debug"])
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        text, code = explained(error)
        print(text, file=sys.stderr)
        sys.exit(code)
    raise AssertionError("the application ends by SystemExit")


def explained(error: Exception) -> tuple[str, int]:
    """What to tell of an error, without credentials and without a traceback, and the exit code that goes with it."""
    from penstock.base.redaction import redact  # noqa: PLC0415

    # By name, for importing the classes of all rooms would cost more than the command that failed.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    text = redact(str(error))
    if "ConfigError" in kinds:
        return text, USAGE
    if "UsageProblem" in kinds:
        return f"penstock: {text}", USAGE
    if kinds & {"RunError", "SourceError", "ModelError", "PortUnavailable", "RuleError"}:
        return f"penstock: {text}", FAILURE
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"penstock: {redact(place)}{error.strerror.lower()}", FAILURE
    advice = "run again with --debug to see where it happened"
    return f"penstock: unexpected {type(error).__name__}: {text}; {advice}", FAILURE


class UsageProblem(Exception):
    """The command cannot be meant as it was typed; says what to type instead."""
