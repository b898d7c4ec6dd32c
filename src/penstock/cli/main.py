"""The command `penstock`: its arguments, and how errors reach the person who typed it.

0 is success, 1 a failure, 2 a mistake in the command or the configuration, 130 an interrupt; `admit` has codes of its
own. Known errors are told in their own words; others by their type, with `--debug` for where they happened. Every
command imports what it needs when it runs, so that `penstock version` and `--help` answer at once.
"""

import errno
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from penstock.cli import simulation_commands
from penstock.cli.bench_command import bench_app
from penstock.cli.models_commands import models_app


class _Commands(TyperGroup):
    """Tells what is wrong with an argument without naming the library that found it."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            raise


app = typer.Typer(
    name="penstock",
    cls=_Commands,
    help="Real-time video inference: cameras and models in, timely events with their clips out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(models_app, name="models")
app.add_typer(bench_app, name="bench")

OK, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130

_ADVICE = {
    errno.EMFILE: "Raise the limit of open files (`ulimit -n`; systemd: LimitNOFILE=; docker: --ulimit nofile=)",
    errno.ENOMEM: "Give it more memory, lower buffer.size of the cameras, or run fewer of them",
    errno.ENOSPC: "Free space there, or name another folder",
    errno.EROFS: "Name a folder that can be written to",
}


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

    With a CONFIG file, or with --camera, --model and --rule and no file. `penstock demo` needs neither.
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


# Here, because --help lists commands in this order: first what a newcomer needs.
app.command()(simulation_commands.demo)


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="YAML file to check.", metavar="CONFIG")],
    camera: Annotated[str, typer.Argument(help="With --show: only this one.", metavar="[CAMERA]")] = "",
    show: Annotated[
        bool, typer.Option("--show", help="Every key of every camera, and where its value is written.")
    ] = False,
) -> None:
    """Check a configuration: keys, values, names, files and rules."""
    from penstock.cli.check_command import check_command  # noqa: PLC0415

    raise typer.Exit(check_command(config, show=show, camera=camera))


@app.command()
def probe(
    url: Annotated[str, typer.Argument(help="Address or video file.", metavar="URL")],
    for_: Annotated[str, typer.Option("--for", help="How long to listen.", metavar="TIME")] = "5s",
    option: Annotated[
        list[str] | None,
        typer.Option("--option", help="One of the input's `options`; repeatable.", metavar="NAME=VALUE"),
    ] = None,
) -> None:
    """Connect to a camera and tell what it sends: codec, size, rate, GOP, time to connect, time basis."""
    from penstock.cli.probe_command import named_options, probe_command  # noqa: PLC0415

    raise typer.Exit(probe_command(url, for_, options=named_options(option or ())))


@app.command()
def admit(
    config: Annotated[Path, typer.Argument(help="YAML file; what its last run measured is used.", metavar="CONFIG")],
    camera: Annotated[
        list[str] | None,
        typer.Option(
            "--camera", "-c", help="To be added: address or file, or NAME=ADDRESS; repeatable.", metavar="URL"
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            help="For the added cameras, or without any for all: name of a model of the file, ONNX file, or NAME=FILE.",
            metavar="MODEL",
        ),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.01, max=120, help="Analyses per second of the added cameras.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The answer as JSON.")] = False,
    no_measure: Annotated[
        bool, typer.Option("--no-measure", help="Assume what no earlier run has measured; nothing is opened or loaded.")
    ] = False,
) -> None:
    """Tell whether this host can take a configuration, or more beside it: accept (0), reduce (1) or refuse (3)."""
    from penstock.cli.admit_command import AdmitOptions, admit_command  # noqa: PLC0415

    options = AdmitOptions(
        config=config,
        cameras=tuple(camera or ()),
        models=tuple(model or ()),
        fps=fps,
        as_json=as_json,
        measure=not no_measure,
    )
    raise typer.Exit(admit_command(options))


@app.command()
def devices() -> None:
    """List the cameras at this host, with their formats, sizes and rates."""
    from penstock.cli.devices_command import devices_command  # noqa: PLC0415

    raise typer.Exit(devices_command())


@app.command()
def verify(
    folder: Annotated[
        Path, typer.Argument(help="A data folder, its `clips`, one camera's folder, or one event's.", metavar="FOLDER")
    ],
) -> None:
    """Check that clips, snapshots and manifests are as they were written."""
    from penstock.cli.verify_command import verify_command  # noqa: PLC0415

    raise typer.Exit(verify_command(folder))


app.command()(simulation_commands.simulate)


@app.command()
def schema(
    markdown: Annotated[bool, typer.Option("--markdown", help="The reference page instead.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it here.", metavar="FILE")] = None,
) -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from penstock.cli.schema_command import schema_command  # noqa: PLC0415

    raise typer.Exit(schema_command(markdown=markdown, output=output))


@app.command()
def quantize(
    model: Annotated[Path, typer.Argument(help="Float ONNX file, or the name of a fetched model.", metavar="MODEL")],
    calibrate: Annotated[
        list[str],
        typer.Option("--calibrate", help="Video or camera with the scenes to expect; repeatable.", metavar="URL"),
    ],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="By default MODEL_int8.onnx.")] = None,
    frames: Annotated[int, typer.Option("--frames", help="Frames to choose the scales by.")] = 300,
    held_out: Annotated[
        int, typer.Option("--held-out", help="Frames to measure on, which quantising never saw.")
    ] = 100,
    min_agreement: Annotated[
        float, typer.Option("--min-agreement", min=0, max=1, help="Refused below this recall or precision.")
    ] = 0.9,
    every: Annotated[str, typer.Option("--every", help="Time between frames of a live camera.", metavar="TIME")] = "1s",
    head: Annotated[str, typer.Option("--head", help="Read the model with this head.")] = "auto",
    confidence: Annotated[float, typer.Option("--confidence", min=0, max=1, help="Boxes below do not count.")] = 0.25,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
) -> None:
    """Make an 8-bit model from your own cameras, and measure what it costs and brings.

    Needs `pip install penstock[quantize]`.
    """
    from penstock.cli.models_commands import model_file  # noqa: PLC0415
    from penstock.cli.quantize_command import QuantizeOptions, quantize_command  # noqa: PLC0415

    file = model_file(str(model))
    options = QuantizeOptions(
        model=file,
        calibrate=tuple(calibrate),
        output=output or Path(f"{file.stem}_int8.onnx"),
        frames=frames,
        held_out=held_out,
        min_agreement=min_agreement,
        every=every,
        head=head,
        confidence=confidence,
        as_json=as_json,
    )
    raise typer.Exit(quantize_command(options))


@app.command()
def trace(
    for_: Annotated[str, typer.Option("--for", help="How long, at most 60s.", metavar="TIME")] = "10s",
    output: Annotated[Path, typer.Option("--output", "-o", help="Write it here.", metavar="FILE.json")] = Path(
        "trace.json"
    ),
    url: Annotated[str, typer.Option(help="Where the run serves /metrics.", metavar="URL")] = "http://127.0.0.1:9090",
) -> None:
    """Write every frame's way through a running instance to a file that ui.perfetto.dev opens."""
    from penstock.cli.trace_command import TraceOptions, trace_command  # noqa: PLC0415

    raise typer.Exit(trace_command(TraceOptions(for_, output, url)))


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
    if kinds & {"RunError", "DataFolderError", "SourceError", "ModelError", "PortUnavailable", "RuleError"}:
        return f"penstock: {text}", FAILURE
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        advice = f". {_ADVICE[error.errno]}" if error.errno in _ADVICE else ""
        return f"penstock: {redact(place)}{error.strerror.lower()}{advice}", FAILURE
    advice = "run again with --debug to see where it happened"
    return f"penstock: unexpected {type(error).__name__}: {text}; {advice}", FAILURE


class UsageProblem(Exception):
    """The command cannot be meant as it was typed; says what to type instead."""
