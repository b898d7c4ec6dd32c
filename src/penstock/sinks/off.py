"""Takes every event and keeps none: so that callers need no `if` where no sink is wanted."""

from penstock.contracts.events import Event


class OffSink:
    """Acknowledges at once."""

    name = "off"

    def start(self) -> None:
        """Nothing to open."""

    def deliver(self, events: list[Event]) -> None:
        """Forgets `events`."""

    def stop(self) -> None:
        """Nothing to close."""
