"""A model that may only be called where another has said so: proof that a dependency chain holds."""

from collections.abc import Callable

from penstock.contracts.frames import View
from penstock.contracts.results import Result
from penstock.models.model import Model, Pixels


class ChainedModel:
    """Answers as `answer` does and notes its frames; raises where `allowed` does not hold for a frame's capture (ns),
    which the engine should have prevented."""

    def __init__(self, answer: Model, allowed: Callable[[int], bool]) -> None:
        self.description = answer.description
        self._answer = answer
        self._allowed = allowed
        self.captures_ns: list[int] = []
        """of the frames it was called with"""

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        capture_ns = view.frame.capture.mono_ns
        if not self._allowed(capture_ns):
            raise AssertionError(f"called with the frame of {capture_ns} ns, for which nothing it depends on was so")
        self.captures_ns.append(capture_ns)
        return self._answer.run(stream, view, pixels)

    def close(self) -> None:
        self._answer.close()
