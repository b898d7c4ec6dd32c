"""Watching a run while it lasts: what the terminal is to whoever runs it."""

from typing import Protocol

from penstock.telemetry.statistics import Snapshot


class LiveView(Protocol):
    """Shows a run to a person, in its own thread. All it knows comes from `snapshot`."""

    def start(self, snapshot: Snapshot) -> None: ...

    def stop(self) -> None:
        """Waits until nothing more is drawn."""
        ...
