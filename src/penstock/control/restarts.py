"""When an ended process is started again: soon the first time, then ever later, up to a cap."""

FIRST_DELAY_NS = 100_000_000
LONGEST_DELAY_NS = 5_000_000_000
HEALTHY_AFTER_NS = 20_000_000_000


class RestartPolicy:
    """State of one process. A life longer than `HEALTHY_AFTER_NS` forgives earlier failures."""

    def __init__(self) -> None:
        self._failures = 0

    def delay_ns(self, lived_ns: int) -> int:
        """The process has just ended after `lived_ns`: how long to wait before its next start."""
        if lived_ns >= HEALTHY_AFTER_NS:
            self._failures = 0
        self._failures += 1
        return min(FIRST_DELAY_NS << min(self._failures - 1, 20), LONGEST_DELAY_NS)
