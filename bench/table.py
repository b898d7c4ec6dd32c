"""Shows a report in the terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench import cells
from bench.records import Report

_TEXT_COLUMNS = {"variant", "what", "unit"}


def show(report: Report, console: Console) -> None:
    console.print(f"\n[bold]{report.name}[/]: {escape(report.title)}")
    if report.skipped:
        console.print(f"[yellow]skipped[/]: {escape(report.skipped)}")
    if report.failed:
        console.print(f"[red]failed[/]: {escape(report.failed)}")
    head, body = cells.rows(report)
    if body:
        table = Table(box=None, pad_edge=False)
        for name in head:
            table.add_column(name, justify="left" if name in _TEXT_COLUMNS else "right", overflow="fold")
        for row in body:
            table.add_row(*map(escape, row))
        console.print(table)
    for verdict in report.verdicts:
        console.print(f"[{'green' if verdict.met else 'red'}]goal[/] {escape(cells.verdict_text(verdict))}")
    for ratio in report.ratios:
        console.print(f"[cyan]ratio[/] {escape(cells.ratio_text(ratio))}")
