"""`penstock models`: what models there are, fetching one, looking into one, trying one on pictures."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

models_app = typer.Typer(help="Find, fetch, inspect and try models.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]
Folder = Annotated[Path | None, typer.Option("--to", help="Another folder than the usual one.", metavar="FOLDER")]


@models_app.command("list")
def list_models(as_json: Json = False, to: Folder = None) -> None:
    """List the models that can be fetched, and those that have been."""
    from penstock.models.catalogue.folder import fetched_models, models_folder  # noqa: PLC0415
    from penstock.models.catalogue.known import known_models  # noqa: PLC0415

    folder = to or models_folder(os.environ)
    fetched = {model.name: model for model in fetched_models(folder)}
    if as_json:
        known = [
            {**_builtins(model), "path": str(fetched[name].path) if name in fetched else None}
            for name, model in known_models().items()
        ]
        others = [_builtins(model) for name, model in fetched.items() if not model.known]
        _print_json({"folder": str(folder), "known": known, "others": others})
        return
    from rich.table import Table  # noqa: PLC0415

    from penstock.base.units import format_size  # noqa: PLC0415

    table = Table("name", "what", "licence", "size", "fetched", box=None, pad_edge=False)
    for name, model in known_models().items():
        star = " (recommended)" if model.recommended else ""
        size = format_size(model.size_bytes) if model.size_bytes else "?"
        table.add_row(name, f"{model.title}{star}", model.licence, size, "yes" if name in fetched else "")
    for name, other in fetched.items():
        if not other.known:
            table.add_row(name, "a file of your own", "", format_size(other.size_bytes), "yes")
    console = _console()
    console.print(table)
    console.print(f"\nFolder: {folder}\nFetch one with: penstock models get NAME", markup=False, soft_wrap=True)


@models_app.command("get")
def get_model(
    name: Annotated[str, typer.Argument(help="A name from `penstock models list`.")], to: Folder = None
) -> None:
    """Fetch a model: its licence is shown, and fetching it accepts the licence's terms."""
    from penstock.base.clock import SystemClock  # noqa: PLC0415
    from penstock.base.units import format_size  # noqa: PLC0415
    from penstock.models.catalogue.folder import models_folder  # noqa: PLC0415
    from penstock.models.catalogue.known import known_model  # noqa: PLC0415
    from penstock.models.fetch import wait_fetch  # noqa: PLC0415

    known = known_model(name)
    folder = to or models_folder(os.environ)
    size = f", {format_size(known.size_bytes)}" if known.size_bytes else ""
    _say(f"{known.name}: {known.title}{size}")
    _say(f"from {known.url} ({known.source})")
    _say(f"licence {known.licence}, {known.licence_url}: by fetching it you accept its terms")
    if known.note:
        _say(known.note)
    fetched = wait_fetch(known, folder, SystemClock(), _progress() if sys.stderr.isatty() else None)
    if fetched.already_there:
        _say("it is here already")
    elif fetched.resumed_bytes:
        _say(f"went on after the first {format_size(fetched.resumed_bytes)}")
    expected = "as expected" if fetched.verified else "not known beforehand: compare it with the publisher's"
    _say(f"sha256 {fetched.sha256} ({expected})")
    print(fetched.path)


@models_app.command("inspect")
def inspect(
    file: Annotated[str, typer.Argument(help="ONNX file, or the name of a fetched model.", metavar="FILE")],
    as_json: Json = False,
    head: Annotated[str, typer.Option("--head", help="Read it with this head.")] = "auto",
) -> None:
    """Tell what is in a model file, and how Penstock would run it."""
    from penstock.cli.model_report import inspection_lines  # noqa: PLC0415
    from penstock.models.inspection import inspect_model  # noqa: PLC0415

    found = inspect_model(model_file(file), head=head)
    if as_json:
        _print_json(_builtins(found))
    else:
        for line in inspection_lines(found):
            print(line)
    raise typer.Exit(0 if found.recognised else 1)


@models_app.command("try")
def try_model(
    file: Annotated[str, typer.Argument(help="ONNX file, or the name of a fetched model.", metavar="FILE")],
    pictures: Annotated[list[str], typer.Argument(help="Pictures, videos or cameras.", metavar="IMAGE...")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the pictures with boxes drawn: a file or a folder.")
    ] = None,
    backend: Annotated[str, typer.Option("--backend", help="auto, openvino or onnxruntime.")] = "auto",
    head: Annotated[str, typer.Option("--head", help="Read it with this head.")] = "auto",
    confidence: Annotated[float, typer.Option("--confidence", min=0, max=1, help="Boxes below are dropped.")] = 0.25,
    frames: Annotated[int, typer.Option("--frames", min=1, max=10_000, help="Frames of each video or camera.")] = 1,
    as_json: Json = False,
) -> None:
    """Run a model on pictures, or on frames spread over videos, and show what it finds."""
    from penstock.cli.model_trial import Trial, wait_try  # noqa: PLC0415

    trial = Trial(model_file(file), tuple(pictures), output, backend, head, confidence, frames)
    rows = wait_try(trial, None if as_json else print)
    if as_json:
        _print_json(rows)


def named_model_file(text: str, base: Path) -> str:
    """What the `path` of a model in a configuration stands for; raises LookupError that says what to do."""
    from penstock.models.catalogue.folder import models_folder, resolved  # noqa: PLC0415
    from penstock.models.errors import ModelError  # noqa: PLC0415

    try:
        return resolved(text, models_folder(os.environ), base=base)
    except ModelError as error:
        raise LookupError(f"{error.what}; run: penstock models get {text}") from error


def model_file(text: str) -> Path:
    """The file that `text` names, which may be a fetched model's name."""
    from penstock.models.catalogue.folder import models_folder, resolved  # noqa: PLC0415

    return Path(resolved(text, models_folder(os.environ), base=Path.cwd()))


def _progress() -> Any:
    """A bar on standard error, for people who watch."""
    from penstock.base.units import format_size  # noqa: PLC0415

    shown = -1

    def show(here: int, whole: int) -> None:
        nonlocal shown
        percent = here * 100 // whole if whole else here >> 18
        if percent != shown:
            shown = percent
            of = f" of {format_size(whole)}, {percent} %" if whole else ""
            end = "\n" if whole and here >= whole else ""
            print(f"\r{format_size(here)}{of}   ", end=end, file=sys.stderr, flush=True)

    return show


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _console() -> Any:
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False)


def _builtins(record: Any) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415

    return dict(msgspec.to_builtins(record, enc_hook=str))


def _print_json(value: Any) -> None:
    import json  # noqa: PLC0415

    print(json.dumps(value, indent=2))
