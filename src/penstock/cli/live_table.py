"""Shows a run while it lasts: a table on a terminal, one line every ten seconds anywhere else."""

import logging
import threading
from abc import ABC, abstractmethod

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from penstock.base.clock import Clock
from penstock.base.units import format_size
from penstock.cli.live_model import CameraRow, LiveModel, LiveState, event_text
from penstock.telemetry.live import LiveView
from penstock.telemetry.statistics import Snapshot

log = logging.getLogger(__name__)

TABLE_S = 0.5
LINES_S = 10.0
FAULTS_SHOWN = 4
SHOWN_FROM = 0.8
"""part of a resource that is given out before it is worth a line"""
_COLOURS = {"up": "green", "down": "red", "connecting": "yellow", "starting": "yellow"}


def live_view(console: Console, clock: Clock) -> LiveView:
    """What suits the place that standard output goes to."""
    return LiveTable(console, clock) if console.is_terminal else LiveLines(clock)


class _Loop(ABC):
    """Calls `_show` every `every_s` between `start` and `stop`; what it cannot show never ends the run."""

    def __init__(self, clock: Clock, every_s: float) -> None:
        self._clock = clock
        self._every_s = every_s
        self._model = LiveModel()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, snapshot: Snapshot) -> None:
        self._thread = threading.Thread(target=self._run, args=(snapshot,), name="live-view", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waits until nothing more is drawn; safe to call twice."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, snapshot: Snapshot) -> None:
        self._begin()
        try:
            self._model.update(snapshot(), self._clock.now_ns())
            while not self._clock.wait(self._ended, self._every_s):
                self._show(self._model.update(snapshot(), self._clock.now_ns()))
        except Exception:
            log.exception("the live view has ended; the run goes on")
        finally:
            self._end()

    @abstractmethod
    def _begin(self) -> None:
        """Before the first picture."""

    @abstractmethod
    def _show(self, state: LiveState) -> None: ...

    @abstractmethod
    def _end(self) -> None:
        """After the last picture."""


class LiveTable(_Loop):
    """Redrawn in place twice a second."""

    def __init__(self, console: Console, clock: Clock) -> None:
        super().__init__(clock, TABLE_S)
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def _begin(self) -> None:
        self._live.start()

    def _show(self, state: LiveState) -> None:
        self._live.update(render(state), refresh=True)

    def _end(self) -> None:
        self._live.stop()


class LiveLines(_Loop):
    """A log line for each camera, every ten seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, LINES_S)

    def _begin(self) -> None:
        """Lines need no preparation."""

    def _end(self) -> None:
        """Lines need no end."""

    def _show(self, state: LiveState) -> None:
        for row in state.rows:
            log.info("%s", line(row), extra={"camera": row.camera})


def render(state: LiveState) -> RenderableType:
    """The table, what the processes use, and the newest events."""
    table = Table(pad_edge=False, box=None, expand=False)
    for heading in ("camera", "state"):
        table.add_column(heading, no_wrap=True)
    # A column of its own only while somebody has less than he asked for: it takes room from the last.
    shared = any(row.granted != "all" for row in state.rows)
    for heading in ("fps in", "analysed/s", *(["granted"] if shared else []), "age p50", "age p99", "events"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("last event")  # the only one that may shrink
    for row in state.rows:
        table.add_row(
            Text(row.camera),
            Text(row.state, style=_COLOURS.get(row.state, "")),
            f"{row.fps_in:.1f}",
            f"{row.analysed_per_s:.1f}",
            *([Text(row.granted, style="" if row.granted == "all" else "yellow")] if shared else []),
            milliseconds(row.age_p50_ms),
            milliseconds(row.age_p99_ms),
            str(row.events),
            Text(row.last_event, no_wrap=True, overflow="ellipsis"),
        )
    faults = [f"{row.camera}: {row.fault}" for row in state.rows if row.fault and row.state != "up"]
    fates = "  ".join(f"{name} {count}" for name, count in state.fates.items() if count)
    short = [f"{name} {share:.0%} given out" for name, share in state.resources.items() if share >= SHOWN_FROM]
    used = f"{state.processes} processes  {state.cpu_cores:.2f} cores  {format_size(state.rss_bytes)}"
    parts: list[RenderableType] = [table]
    parts += [Text(fault, style="red") for fault in faults[:FAULTS_SHOWN]]
    if len(faults) > FAULTS_SHOWN:
        parts.append(Text(f"{len(faults) - FAULTS_SHOWN} more cameras are away", style="red"))
    parts.append(Text(f"\n{used}   {fates}", style="dim"))
    if short:
        parts.append(Text("  ".join(short), style="yellow"))
    parts += [Text(f"{note.severity:<7} {note.camera}: {event_text(note)}") for note in state.events]
    parts.append(Text("Ctrl-C ends the run", style="dim"))
    return Group(*parts)


def line(row: CameraRow) -> str:
    """One camera in words, for logs."""
    fault = f" ({row.fault})" if row.fault else ""
    granted = "" if row.granted == "all" else f" (granted {row.granted})"
    return (
        f"{row.state}{fault}, {row.fps_in:.1f} fps in, {row.analysed_per_s:.1f} analysed/s{granted}, "
        f"age p50 {milliseconds(row.age_p50_ms)} p99 {milliseconds(row.age_p99_ms)}, {row.events} events"
    )


def milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"
