"""`penstock bench`: load scenarios, measured on the real thing, with tables, plots and a verdict on every claim."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from penstock.cli.bench_sim_command import sim

DEFAULT_OUT = Path("penstock-bench")
_DEFAULT = "scenarios"


class _ScenariosUnlessNamed(TyperGroup):
    """What is not the name of a subcommand is that of a scenario: `penstock bench baseline`, `penstock bench sim`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return ("" if name == _DEFAULT else name), command, rest


bench_app = typer.Typer(
    name="bench",
    cls=_ScenariosUnlessNamed,
    help="Measure age, rates and fates under load: RVO's scenarios and ours; `sim` sizes fleets.",
    add_completion=False,
)
bench_app.command("sim")(sim)


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """The command's arguments as they were typed."""

    names: tuple[str, ...] = ()
    everything: bool = False
    listed: bool = False
    runs: int = 1
    for_text: str | None = None
    warm_up_text: str = "5s"
    out: Path = DEFAULT_OUT
    isolation: str = "process"
    model: Path | None = None
    int8: Path | None = None
    videos: tuple[Path, ...] = ()
    films: Path | None = None
    max_cameras: int = 32
    plots: bool = True


@bench_app.command(_DEFAULT, hidden=True)
def scenarios(
    names: Annotated[
        list[str] | None, typer.Argument(help="Scenarios, or groups of them; see --list.", metavar="[NAME]...")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All scenarios but those of the group `long`.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="Tell what there is, and run nothing.")] = False,
    runs: Annotated[int, typer.Option("--runs", min=1, max=100, help="How often each.")] = 1,
    for_: Annotated[
        str | None, typer.Option("--for", help="How long each is measured; 20s unless a scenario has its own.")
    ] = None,
    warm_up: Annotated[str, typer.Option("--warm-up", help="How long it runs before that.", metavar="TIME")] = "5s",
    out: Annotated[Path, typer.Option("--out", help="Folder of the results; what is there is added to.")] = DEFAULT_OUT,
    isolation: Annotated[str, typer.Option(help="`thread` runs everything in one process.")] = "process",
    model: Annotated[
        Path | None, typer.Option(help="ONNX file of a person detector, instead of the one in the box.")
    ] = None,
    int8: Annotated[Path | None, typer.Option(help="Its 8-bit version, instead of one made with `quantize`.")] = None,
    video: Annotated[
        list[Path] | None, typer.Option("--video", help="Video to play, instead of drawn ones; repeatable.")
    ] = None,
    films: Annotated[Path | None, typer.Option(help="Folder of drawn films, kept for the next time.")] = None,
    max_cameras: Annotated[
        int, typer.Option("--max-cameras", min=1, max=256, help="Where `age_against_load` ends.")
    ] = 32,
    plots: Annotated[bool, typer.Option("--plots/--no-plots", help="PNG files, see docs/guide/plots.md.")] = True,
) -> None:
    """Run load scenarios on the real thing, and say what came of them.

    `penstock bench --all --runs 3 --for 20s --out DIR`, or names instead of --all; `penstock bench sim --help` is about
    simulated fleets. DIR/summary.csv has a row for each scenario and run, DIR/validation.csv every claim.
    """
    options = BenchOptions(
        names=tuple(names or ()),
        everything=everything,
        listed=listed,
        runs=runs,
        for_text=for_,
        warm_up_text=warm_up,
        out=out,
        isolation=isolation,
        model=model,
        int8=int8,
        videos=tuple(video or ()),
        films=films,
        max_cameras=max_cameras,
        plots=plots,
    )
    raise typer.Exit(bench_command(options))


def bench_command(options: BenchOptions) -> int:
    """The exit code: 0 when all was run, whatever came of it; 1 when something could not be; 130 interrupted."""
    from penstock.base.clock import NS_PER_S, SystemClock  # noqa: PLC0415 - so that --help answers at once
    from penstock.cli.main import FAILURE, INTERRUPTED, OK, UsageProblem  # noqa: PLC0415
    from penstock.cli.run_command import duration_ns  # noqa: PLC0415
    from penstock.harness.catalogue import GROUPS, SCENARIOS, UnknownScenario, chosen  # noqa: PLC0415

    if options.listed:
        for group, about in GROUPS.items():
            typer.echo(f"{group}: {about}")
            for scenario in SCENARIOS.values():
                if scenario.group == group:
                    typer.echo(f"  {scenario.name:32}{scenario.about}")
        return OK
    try:
        wanted = chosen(options.names, everything=options.everything)
    except UnknownScenario as error:
        raise UsageProblem(str(error)) from None
    if not wanted:
        raise UsageProblem("name scenarios or groups, or give --all; `penstock bench --list` shows what there is")
    if options.isolation not in ("process", "thread"):
        raise UsageProblem(f"--isolation is process or thread, not {options.isolation!r}")
    for flag, file in (("--model", options.model), ("--int8", options.int8), *(("--video", v) for v in options.videos)):
        if file is not None and not file.is_file():
            raise UsageProblem(f"{flag}: there is no file {file}")
    for_ns = 20 * NS_PER_S if options.for_text is None else duration_ns(options.for_text, "--for")
    warm_up_ns = duration_ns(options.warm_up_text, "--warm-up")
    from penstock.harness.plots import check_plots, draw_plots  # noqa: PLC0415
    from penstock.harness.session import Session, Settings  # noqa: PLC0415

    if options.plots:
        check_plots()
    settings = Settings(
        out=options.out.absolute(),
        runs=options.runs,
        for_ns=for_ns,
        warm_up_ns=warm_up_ns,
        isolation=options.isolation,
        cores=len(os.sched_getaffinity(0)),
        model=options.model.absolute() if options.model else None,
        int8=options.int8.absolute() if options.int8 else None,
        videos=tuple(video.absolute() for video in options.videos),
        films=options.films,
        max_cameras=options.max_cameras,
        duration_given=options.for_text is not None,
    )
    session = Session(wanted, settings, SystemClock(), say=_say)
    session.run()
    if options.plots:
        for path in draw_plots(settings.out):
            _say(f"drawn: {path}")
    _say(f"results: {settings.out}")
    if session.interrupted:
        return INTERRUPTED
    return FAILURE if session.failed else OK


def _say(text: str) -> None:
    typer.echo(text)
