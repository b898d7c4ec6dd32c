"""Models that only take time: they sleep, or compute, for as long as they are told, and fail when they are told.

Sleeping stands for an accelerator: the call takes time and no processor. Burning stands for inference on the processor,
and holds the interpreter lock as pure Python does. Each states the signal `Busy` (true and false in turn, by capture
time), the number `CallCost` in milliseconds, and a box of `person` while `Busy`, so that rules fire and boxes travel.

A model may become slower, raise or hang between two seconds of the measurement (see `harness.cue`), and may start a
thread that spins: what a sleeping model hides is that Python code holds the interpreter lock.
"""

import threading
from typing import Any

from penstock.base.clock import NS_PER_S, Clock, SystemClock
from penstock.harness.cue import Cue

PLUGIN = f"{__name__}:LatencyModel"
SIGNAL = "Busy"
PERIOD_NS = NS_PER_S
"""`Busy` is true in the first half of each"""
_HANG_S = 3600.0
_BOX = ((8.0, 6.0, 24.0, 30.0), 0.9, "person")


class Planned(Exception):
    """The failure that the scenario asked for."""


class Spinning:
    """A Python thread that does nothing but hold the interpreter lock as often as it gets it."""

    def __init__(self) -> None:
        self._stop = False
        self._turns = 0
        self._thread = threading.Thread(target=self._spin, name="spinning", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop_nowait(self) -> None:
        self._stop = True

    def stop(self) -> None:
        """Waits until it has ended."""
        self.stop_nowait()
        self._thread.join()

    def _spin(self) -> None:
        while not self._stop:
            self._turns += 1


class LatencyModel:
    """See `models.plugin`; times in milliseconds, instants in seconds of the measurement."""

    view = {"width": 64, "height": 36, "format": "gray8"}  # noqa: RUF012 - the shape that plugins are written in
    class_names = ("person",)
    signals = (SIGNAL, "CallCost")

    def __init__(
        self,
        sleep_ms: float = 0.0,
        burn_ms: float = 0.0,
        slower: float = 1.0,
        slower_from_s: float = 0.0,
        slower_until_s: float = 0.0,
        raises_from_s: float = 0.0,
        raises_until_s: float = 0.0,
        hangs_from_s: float = 0.0,
        hangs_until_s: float = 0.0,
        spins: bool = False,
        cue: str = "",
        clock: Clock | None = None,
    ) -> None:
        self._sleep_ms = sleep_ms
        self._burn_ms = burn_ms
        self._slower = slower
        self._slower_s = (slower_from_s, slower_until_s)
        self._raises_s = (raises_from_s, raises_until_s)
        self._hangs_s = (hangs_from_s, hangs_until_s)
        self._cue = Cue(cue)
        self._clock: Clock = clock or SystemClock()
        self._never = threading.Event()
        self._calls = 0
        self._spinning = Spinning() if spins else None
        if self._spinning is not None:
            # A plugin has no start: its constructor is where a user's own code would do this too.
            self._spinning.start()

    def __del__(self) -> None:
        # Nor has it a stop: with `isolation: thread` nothing else would end what it started.
        if (spinning := getattr(self, "_spinning", None)) is not None:
            spinning.stop_nowait()

    def predict(self, picture: Any, context: Any) -> dict[str, Any]:
        del picture
        began_ns = self._clock.now_ns()
        self._calls += 1
        if self._cue.within(began_ns, *self._hangs_s):
            self._clock.wait(self._never, _HANG_S)
        if self._cue.within(began_ns, *self._raises_s):
            raise Planned(f"call {self._calls} fails as the scenario asks")
        factor = self._slower if self._cue.within(began_ns, *self._slower_s) else 1.0
        if self._sleep_ms:
            self._clock.wait(self._never, self._sleep_ms * factor / 1000)
        if self._burn_ms:
            until_ns = self._clock.now_ns() + round(self._burn_ms * factor * 1_000_000)
            while self._clock.now_ns() < until_ns:
                pass
        busy = is_busy(context.capture_ns)
        cost_ms = (self._clock.now_ns() - began_ns) / 1_000_000
        return {"detections": [_BOX] if busy else [], "scalars": {SIGNAL: busy, "CallCost": cost_ms}}


def is_busy(capture_ns: int) -> bool:
    """What `Busy` is for a picture captured at this instant."""
    return capture_ns % PERIOD_NS < PERIOD_NS // 2
