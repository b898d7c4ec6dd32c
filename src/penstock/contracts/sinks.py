"""Where events go: each sink acknowledges by returning, and delays only itself."""

from typing import Protocol

from penstock.contracts.events import Event


class Sink(Protocol):
    """Delivered to at least once; `event_id` with `revision` is the idempotency key."""

    @property
    def name(self) -> str: ...

    def start(self) -> None: ...

    def deliver(self, events: list[Event]) -> None:
        """Takes a batch in journal order; returning acknowledges it, raising OSError keeps it for a retry."""
        ...

    def stop(self) -> None: ...
