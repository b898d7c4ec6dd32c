"""A camera made of arithmetic: small grey pictures at any rate, each dated with the instant at which it was due.

Frame n is due at `start + n / fps`, whatever happened to the frames before it. A reader that comes late gets the newest
frame that is due, dated with when it was due, and those that it passed over are counted as lost: so a stall of the
reader shows in ages and in losses, and never thins out the load that is measured (coordinated omission). A real camera
does the same: it does not wait.

Pictures are 64×36, so that pixels cost little beside what is measured. Options, all texts: `fps`, `phase` (part of an
interval by which it is later than others), `motion` (`always`, `never`, or `window`), `window` (`FROM-UNTIL` in seconds
of the measurement), `flap` (`UP/DOWN` in seconds: it is away for DOWN after every UP) and `cue` (see `harness.cue`).
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.identity import FrameId, StreamKey
from penstock.contracts.packets import RawFrame, StreamInfo
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.harness.cue import Cue

ADDRESS = "python:penstock.harness.synthetic_source:camera"
WIDTH_PX, HEIGHT_PX, FORMAT = 64, 36, "gray"
_BAR_PX, _STEP_PX = 12, 6

T = TypeVar("T")


class SyntheticOptions:
    """What the options of a stream say; raises SourceError that names the one that cannot be read."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.fps = _read(options, "fps", "25", float)
        self.phase = _read(options, "phase", "0", float)
        self.motion = options.get("motion", "always")
        self.window_s = _read(options, "window", "0-0", lambda text: _pair(text, "-"))
        self.flap_s = _read(options, "flap", "0/0", lambda text: _pair(text, "/"))
        self.cue = options.get("cue", "")
        if self.fps <= 0 or self.motion not in ("always", "never", "window"):
            raise SourceError(
                SourceFault.UNSUPPORTED,
                f"a synthetic camera of {self.fps:g} fps and motion {self.motion!r}",
                "fps is above 0, and motion is always, never or window",
            )


@dataclass(frozen=True, slots=True)
class Due:
    """The frame to give next, and how many before it were passed over."""

    number: int
    at_ns: int
    lost: int


class Schedule:
    """When which frame is due. Pure."""

    def __init__(self, fps: float, start_ns: int) -> None:
        self._fps = fps
        self._start_ns = start_ns
        self._next = 0

    def due_ns(self, number: int) -> int:
        return self._start_ns + round(number * NS_PER_S / self._fps)

    def take(self, now_ns: int) -> Due:
        """The newest frame that is due at `now_ns`; where none is yet, the next one, to be waited for."""
        newest = int((now_ns - self._start_ns) * self._fps // NS_PER_S)
        # Rounding of due times may put the newest a nanosecond into the future, or leave one that is due.
        while self.due_ns(newest + 1) <= now_ns:
            newest += 1
        while newest > self._next and self.due_ns(newest) > now_ns:
            newest -= 1
        number = max(newest, self._next)
        lost = number - self._next
        self._next = number + 1
        return Due(number, self.due_ns(number), lost)


class SyntheticSource:
    """See `contracts.sources.Source`."""

    live = True
    lossless = False
    seekable = False

    def __init__(
        self, spec: StreamSpec, key: Callable[[int], StreamKey], clock: Clock, new_session: Callable[[], int]
    ) -> None:
        self.url = spec.url
        self._options = SyntheticOptions(spec.options)
        self._key = key
        self._clock = clock
        self._new_session = new_session
        self._stop = threading.Event()
        self._away = Away(self._options, Cue(self._options.cue))

    def wait_open(self) -> "SyntheticSession":
        if self._stop.is_set():
            raise SourceError(SourceFault.INTERRUPTED, f"{self.url}: opening was stopped")
        if self._away.is_away(self._clock.now_ns()):
            raise SourceError(SourceFault.TIMEOUT, f"{self.url}: the camera is away")
        return SyntheticSession(self._options, self._key(self._new_session()), self._clock, self._stop, self._away)

    def interrupt(self) -> None:
        self._stop.set()


class Away:
    """Whether a flapping camera is away: `up` seconds there, `down` seconds away, from the cue on."""

    def __init__(self, options: SyntheticOptions, cue: Cue) -> None:
        self._up_s, self._down_s = options.flap_s
        self._cue = cue

    def is_away(self, now_ns: int) -> bool:
        if self._down_s <= 0:
            return False
        since_s = self._cue.since_s(now_ns)
        return since_s is not None and since_s % (self._up_s + self._down_s) >= self._up_s


class SyntheticSession:
    """See `contracts.sources.SourceSession`."""

    def __init__(
        self, options: SyntheticOptions, key: StreamKey, clock: Clock, stop: threading.Event, away: Away
    ) -> None:
        self.session = key.session
        self._key = key
        self._clock = clock
        self._stop = stop
        self._away = away
        self._options = options
        self._cue = Cue(options.cue)
        start_ns = clock.now_ns() + round((1 + options.phase) * NS_PER_S / options.fps)
        self._schedule = Schedule(options.fps, start_ns)
        self._seq = 0
        self._lost = 0

    def info(self, info_id: int) -> StreamInfo:
        raise LookupError(info_id)

    def wait_read(self) -> RawFrame:
        """The next frame when it is due, or the newest one where that has passed; `stalled` when the camera goes."""
        due = self._schedule.take(self._clock.now_ns())
        while (early_ns := due.at_ns - self._clock.now_ns()) > 0:
            self._clock.wait(self._stop, early_ns / NS_PER_S)
            if self._stop.is_set():
                break
        if self._stop.is_set():
            raise SourceError(SourceFault.INTERRUPTED, "reading was stopped")
        now_ns = self._clock.now_ns()
        if self._away.is_away(now_ns):
            raise SourceError(SourceFault.STALLED, "the camera went away")
        self._lost += due.lost
        frame = RawFrame(
            id=FrameId(self._key, self._seq),
            format=FORMAT,
            width_px=WIDTH_PX,
            height_px=HEIGHT_PX,
            data=PICTURES[due.number % len(PICTURES)] if self._moves(now_ns) else PICTURES[0],
            received_ns=now_ns,
            capture=CaptureTime(due.at_ns, TimeBasis.SENDER, 0),
        )
        self._seq += 1
        return frame

    def statistics(self) -> SessionStatistics:
        """`lost_packets` are frames that were due and passed over, because the reader came too late."""
        return SessionStatistics(lost_packets=self._lost)

    def interrupt(self) -> None:
        self._stop.set()

    def close(self) -> None:
        """Nothing is open."""

    def _moves(self, now_ns: int) -> bool:
        if self._options.motion == "window":
            return self._cue.within(now_ns, *self._options.window_s)
        return self._options.motion == "always"


def camera(
    spec: StreamSpec, key: Callable[[int], StreamKey], clock: Clock, new_session: Callable[[], int]
) -> SyntheticSource:
    """The factory; see `sources.plugin`."""
    return SyntheticSource(spec, key, clock, new_session)


def _drawn(step: int) -> bytes:
    """A grey picture with a bright bar that is elsewhere at each step."""
    left = step * _STEP_PX % WIDTH_PX
    row = bytes(220 if (x - left) % WIDTH_PX < _BAR_PX else 64 for x in range(WIDTH_PX))
    return row * HEIGHT_PX


PICTURES = tuple(_drawn(step) for step in range(8))
"""drawn once for all frames of all cameras"""


def _read(options: Mapping[str, str], name: str, default: str, parse: Callable[[str], T]) -> T:
    text = options.get(name, default)
    try:
        return parse(text)
    except ValueError:
        what = f"option {name} of a synthetic camera is {text!r}"
        raise SourceError(SourceFault.UNSUPPORTED, what, f"Write it as in {name}={default!r}") from None


def _pair(text: str, separator: str) -> tuple[float, float]:
    first, _, second = text.partition(separator)
    return float(first), float(second)
