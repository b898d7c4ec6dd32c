"""The end of a run in a few lines, from its report."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from penstock.base.units import format_duration

MIB = 1024 * 1024
EVENTS_SHOWN = 20
UNSEEN_SHOWN = 8
WIDTH = 110
"""at least, so that fates stay on one line where the output goes to a file"""


def print_summary(report: dict[str, Any], console: Console, *, data_dir: Path | None = None) -> None:
    """`report` is what `telemetry.report.run_report` made."""
    duration = format_duration(round(report["duration_s"] * 1e9))
    events = len(report["events"])
    if not console.is_terminal:
        console.width = max(console.width, WIDTH)
    console.print(
        Text(f"\nRun {report['run_id']}: {duration}, {events} event{'' if events == 1 else 's'}", style="bold")
    )
    console.print(_lanes(report))
    _print_unseen(report, console)
    console.print(_cost(report))
    if report["events"]:
        console.print()
        _print_events(report, console, data_dir)
    if "truth" in report and any(report["truth"][count] for count in ("expected", "borderline", "false")):
        _print_truth(report["truth"], console)
    if report["books_balanced"]:
        console.print("\nEvery frame is accounted for.")
    else:
        console.print(Text(f"\nNot accounted for: {', '.join(report['unbalanced'])}.", style="red"))


def _lanes(report: dict[str, Any]) -> Table:
    table = Table(pad_edge=False, box=None)
    table.add_column("camera", no_wrap=True)
    table.add_column("model", no_wrap=True)
    # Only where somebody had less than he asked for at the end.
    short = any(lane["step"] != "full" for lane in report["lanes"].values())
    for heading in ("frames", "analysed", "per s", *(["granted"] if short else []), "age p50", "p95", "p99"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("not analysed")
    for lane in report["lanes"].values():
        ages = lane["age_ms"]
        others = {fate: count for fate, count in lane["fates"].items() if count and fate != "analysed"}
        table.add_row(
            Text(lane["camera"]),
            Text(lane["model"]),
            str(lane["offered"]),
            str(lane["fates"].get("analysed", 0)),
            f"{lane['analysed_per_s']:.1f}",
            *([_granted(lane)] if short else []),
            *(f"{ages[key]:.0f} ms" if ages["count"] else "-" for key in ("p50", "p95", "p99")),
            ", ".join(f"{count} {fate.replace('_', ' ')}" for fate, count in others.items()),
        )
    return table


def _granted(lane: dict[str, Any]) -> str:
    """What the plan gave it when the run ended."""
    if lane["step"] == "full":
        return "all"
    return f"{lane['granted_fps']:.2g} of {lane['wanted_fps']:.2g}/s" if lane["granted_fps"] else str(lane["step"])


def _print_unseen(report: dict[str, Any], console: Console) -> None:
    """Cameras of which no picture came: their rows of zeros do not say why."""
    unseen = {name: camera for name, camera in report["cameras"].items() if not camera["access_units"]["received"]}
    if unseen:
        console.print()
    for name, camera in list(unseen.items())[:UNSEEN_SHOWN]:
        why = camera["fault"] or f"it was still {camera['state']}"
        console.print(Text(f"{name}: not one picture came: {why}", style="yellow"), soft_wrap=True)
    if len(unseen) > UNSEEN_SHOWN:
        console.print(f"({len(unseen) - UNSEEN_SHOWN} more cameras without a picture are in the report)")


def _cost(report: dict[str, Any]) -> str:
    """What all processes together took; memory that they share counts once."""
    processes = report["processes"].values()
    cores = sum(process["cpu_s"] for process in processes) / report["duration_s"] if report["duration_s"] else 0.0
    memory = sum(process["pss_bytes"] for process in processes) / MIB
    return f"\n{len(processes)} processes: {cores:.2f} cores, {memory:.0f} MiB"


def _print_events(report: dict[str, Any], console: Console, data_dir: Path | None) -> None:
    """One line for each event and one for each piece of evidence: paths in a table would be cut."""
    hidden = len(report["events"]) - EVENTS_SHOWN
    if hidden > 0:
        console.print(f"({hidden} earlier events are in the report)")
    for event in report["events"][-EVENTS_SHOWN:]:
        lasted = f"{event['lasted_s']:.1f} s" if event["lasted_s"] is not None else event["state"]
        cut = " until the run ended" if event["state"] == "interrupted" else ""
        head = f"{event['confirmed_utc'][11:19]} {event['camera']}: {event['rule']}, {lasted}{cut}"
        pieces = [_piece(piece, data_dir) for piece in report["clips"] if piece["event_id"] == event["event_id"]]
        console.print(Text("\n         ".join([head, *pieces])), soft_wrap=True)


def _piece(piece: dict[str, Any], data_dir: Path | None) -> str:
    if piece["state"] != "ready":
        return f"{piece['kind']} {piece['state']}" + (f": {piece['reason']}" if piece["reason"] else "")
    return str(data_dir / piece["path"]) if data_dir else str(piece["path"])


def _print_truth(truth: dict[str, Any], console: Console) -> None:
    """How the events of a demonstration compare with what was drawn."""
    delay = truth["delay_ms"]
    late = f", decided {delay['p50']:.0f} ms (median) after they were due" if delay else ""
    drawn = "1 event that was drawn" if truth["expected"] == 1 else f"{truth['expected']} events that were drawn"
    verb = "was" if truth["found"] == 1 else "were"
    unjudged = truth["borderline"]
    rest = f"; {unjudged} not judged: under way when the run began or ended, or just at a limit" if unjudged else ""
    wrong = f"{truth['missed']} missed, {truth['false']} false"
    console.print(f"\nOf {drawn}, {truth['found']} {verb} confirmed{late}; {wrong}{rest}.", soft_wrap=True)
    for kind in ("missed", "false"):
        for event in truth[f"{kind}_events"]:
            when = f" at {event['start_utc']}" if "start_utc" in event else f" {event['event_id']}"
            console.print(Text(f"  {kind}: {event['rule']} on {event['camera']}{when}", style="yellow"))
