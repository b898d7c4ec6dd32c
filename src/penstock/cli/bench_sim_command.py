"""`penstock bench sim`: fleets, seeds and recorded runs on simulated time."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, slots=True)
class SimOptions:
    """The command's arguments as they were typed."""

    cameras: int = 5000
    hosts: int = 100
    for_text: str = "1h"
    seed: int = 0
    model_cost: str = "30ms"
    streams: int = 2
    cores: float = 4.0
    fps: float = 1.0
    camera_fps: float = 5.0
    moving: float = 0.2
    high: float = 0.1
    rules: float = 0.1
    budget: str = "500ms"
    out: Path | None = None
    json: bool = False
    check_seeds: int = 0
    replay: Path | None = None


def sim(
    cameras: Annotated[int, typer.Option(min=1, max=100_000, help="In the whole fleet.")] = 5000,
    hosts: Annotated[int, typer.Option(min=1, max=10_000, help="That share the cameras evenly.")] = 100,
    for_: Annotated[str, typer.Option("--for", help="Simulated time.", metavar="TIME")] = "1h",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same run, byte for byte.")] = 0,
    model_cost: Annotated[str, typer.Option(help="Median time of one call alone.", metavar="TIME")] = "30ms",
    streams: Annotated[int, typer.Option(min=1, max=64, help="Calls that run side by side on a host.")] = 2,
    cores: Annotated[float, typer.Option(min=0.1, max=1024, help="Of each host, for calls and decoding.")] = 4.0,
    fps: Annotated[float, typer.Option(min=0.01, max=100, help="Analyses wanted per camera and second.")] = 1.0,
    camera_fps: Annotated[float, typer.Option(min=0.1, max=240, help="Pictures per camera and second.")] = 5.0,
    moving: Annotated[float, typer.Option(min=0, max=1, help="Part of the time in which something moves.")] = 0.2,
    high: Annotated[float, typer.Option(min=0, max=1, help="Part of the cameras with priority 10.")] = 0.1,
    rules: Annotated[float, typer.Option(min=0, max=1, help="Part of the cameras on which a rule runs.")] = 0.1,
    budget: Annotated[str, typer.Option(help="Age at which a result is worth nothing.", metavar="TIME")] = "500ms",
    out: Annotated[Path | None, typer.Option(help="Folder for the report's files.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    check_seeds: Annotated[
        int, typer.Option("--check-seeds", min=0, max=1_000_000, help="Look for schedules that break a promise.")
    ] = 0,
    replay: Annotated[
        Path | None, typer.Option("--replay", help="A file of `penstock trace`: predict its ages.", metavar="FILE")
    ] = None,
) -> None:
    """Simulate a fleet: what each camera would be granted, and how old results would be.

    The scheduler, the capacity plan and the rules are the real ones; cameras, models and time are not. Nothing printed
    on standard output depends on the machine: how fast it went is told on standard error.
    """
    options = SimOptions(
        cameras=cameras,
        hosts=hosts,
        for_text=for_,
        seed=seed,
        model_cost=model_cost,
        streams=streams,
        cores=cores,
        fps=fps,
        camera_fps=camera_fps,
        moving=moving,
        high=high,
        rules=rules,
        budget=budget,
        out=out,
        json=json,
        check_seeds=check_seeds,
        replay=replay,
    )
    raise typer.Exit(sim_command(options))


def sim_command(options: SimOptions) -> int:
    """The exit code: 1 where a seed broke a promise, or a recording that is long enough was predicted wrongly."""
    if options.check_seeds and options.replay is not None:
        from penstock.cli.main import UsageProblem  # noqa: PLC0415 - so that --help answers at once

        raise UsageProblem("--check-seeds and --replay are two questions: give one of them")
    if options.replay is not None:
        return _replay(options.replay, options.seed)
    if options.check_seeds:
        return _check(options.seed, options.check_seeds)
    return _fleet(options)


def _fleet(options: SimOptions) -> int:
    from penstock.base.clock import NS_PER_S, SystemClock  # noqa: PLC0415
    from penstock.cli.main import OK, UsageProblem  # noqa: PLC0415
    from penstock.cli.run_command import duration_ns  # noqa: PLC0415
    from penstock.harness import sim_report  # noqa: PLC0415
    from penstock.harness.sim_fleet import FleetSpec, run_fleet  # noqa: PLC0415

    spec = FleetSpec(
        cameras=options.cameras,
        hosts=options.hosts,
        for_ns=duration_ns(options.for_text, "--for"),
        seed=options.seed,
        model_cost_ns=duration_ns(options.model_cost, "--model-cost"),
        streams=options.streams,
        cores=options.cores,
        fps=options.fps,
        camera_fps=options.camera_fps,
        moving=options.moving,
        high=options.high,
        rules=options.rules,
        budget_ns=duration_ns(options.budget, "--budget"),
    )
    clock = SystemClock()
    began_ns = clock.now_ns()

    def told(done: int, events: int) -> None:
        passed_s = (clock.now_ns() - began_ns) / NS_PER_S
        typer.echo(f"\r{done} of {spec.hosts} hosts, {events / max(passed_s, 1e-9):,.0f} events/s", nl=False, err=True)

    report = run_fleet(spec, told)
    passed_s = max((clock.now_ns() - began_ns) / NS_PER_S, 1e-9)
    typer.echo(
        f"\r{report.events:,} events and {report.analyses:,} analyses in {passed_s:.1f} s: "
        f"{report.events / passed_s:,.0f} events/s, {report.analyses / passed_s:,.0f} analyses/s",
        err=True,
    )
    if options.out is not None:
        try:
            written = sim_report.write(report, options.out)
        except OSError as error:
            raise UsageProblem(f"--out: {options.out} cannot be written: {error.strerror}") from None
        for path in written:
            typer.echo(f"written: {path}", err=True)
    typer.echo(sim_report.json_text(report) if options.json else sim_report.text(report), nl=False)
    return OK


def _check(first: int, count: int) -> int:
    from penstock.cli.main import FAILURE, OK  # noqa: PLC0415
    from penstock.harness.sim_check import check_seeds, text  # noqa: PLC0415

    def told(done: int) -> None:
        if done % 10 == 0 or done == count:
            typer.echo(f"\r{done} of {count} seeds", nl=done == count, err=True)

    report = check_seeds(range(first, first + count), told)
    typer.echo(text(report), nl=False)
    return OK if report.good else FAILURE


def _replay(path: Path, seed: int) -> int:
    from penstock.cli.main import FAILURE, OK, UsageProblem  # noqa: PLC0415
    from penstock.harness.sim_replay import (  # noqa: PLC0415
        TOLERANCE,
        RecordingError,
        replay_file,
        text,
        too_short,
    )

    try:
        replayed = replay_file(path, seed)
    except RecordingError as error:
        raise UsageProblem(f"--replay: {error}") from None
    typer.echo(text(replayed), nl=False)
    return OK if too_short(replayed) or abs(replayed.whole.difference("p99")) <= TOLERANCE else FAILURE
