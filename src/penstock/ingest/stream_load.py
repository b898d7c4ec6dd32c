"""What one detect stream takes of the processor, and of how many units: for the capacity plan.

Cumulative over the life of the process, unlike the books. One writer, the stream's thread; others may read any number
at any moment.
"""


class StreamLoad:
    """Counts of units, and processor time of the stream's thread."""

    def __init__(self) -> None:
        self.units = 0
        self.keyframes = 0
        """units that the policy `keyframes` asks for"""
        self.disposable = 0
        """units that no other refers to"""
        self.decoded = 0
        """units fed to the decoder"""
        self.cpu_ns = 0
        """reading, keeping, decoding and gating them"""
        self._mark_ns = 0

    def begin(self, thread_cpu_ns: int) -> None:
        """What the thread has taken until now is not counted."""
        self._mark_ns = thread_cpu_ns

    def until(self, thread_cpu_ns: int) -> None:
        """Counts what the thread has taken since the call before, by its own reading of its time."""
        self.cpu_ns += thread_cpu_ns - self._mark_ns
        self._mark_ns = thread_cpu_ns
