"""A simulated camera and the ingest process that reads it: which frame is the newest, what is told of it, and when.

As ingest does: the newest decoded frame replaces the one before; what nobody is due for is not told but counted with
the next news; whether anything moved is told for all frames since the news before.
"""

import random

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.specs import DecodePolicy
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.testkit.arrivals import Arrivals, PacedArrivals
from penstock.testkit.host_model import NS_PER_S, CameraModel
from penstock.testkit.movement import Movement, alternating


class IngestProcess:
    """Makes views one after another: `free_at_ns` is when its loop takes up the next ask."""

    __slots__ = ("free_at_ns",)

    def __init__(self) -> None:
        self.free_at_ns = 0


class SimulatedCamera:
    """State of one camera. Frames are known by index; `told_index` is the newest the engine has heard of."""

    __slots__ = (
        "_movement",
        "_unseen",
        "arrivals",
        "awaited_index",
        "decode",
        "epoch",
        "ingest",
        "lanes",
        "model",
        "newest_session_index",
        "session",
        "stream",
        "told_capture_ns",
        "told_index",
        "up",
    )

    def __init__(
        self,
        model: CameraModel,
        seed: int | str,
        ingest: IngestProcess,
        arrivals: Arrivals,
        lanes: int,
    ) -> None:
        self.model = model
        self.ingest = ingest
        self.arrivals = arrivals
        self.lanes = lanes
        """lanes that hear of its frames"""
        self.decode = model.decode
        self.session = 0
        self.up = False
        self.awaited_index = 0
        """the next frame that may be told; 0 where none is in sight"""
        self.epoch = 0
        """counts the ends of stretches: what was awaited before one must be looked for again"""
        self.told_index = 0
        self.told_capture_ns = -1
        self._unseen = True
        """the session's first picture is still to come: it counts as movement"""
        self.newest_session_index = 0
        """frames up to this one belong to sessions that are over"""
        self.stream = StreamKey("host", "boot", "run", model.name, Role.DETECT, 0)
        chance = random.Random(f"movement {seed} {model.name}")
        spans = alternating(chance, model.moving, model.moving_ns) if model.script is None else iter(model.script)
        self._movement = Movement(spans, model.bursts)

    @property
    def decoded_fps(self) -> float:
        """Pictures decoded per second while it is up."""
        return 0.0 if not self.up else _part(self.model, self.decode) * self.model.fps

    @property
    def decode_cores(self) -> float:
        return self.decoded_fps * self.model.unit_ns / NS_PER_S

    def begin(self, at_ns: int) -> None:
        """Pictures come from `at_ns` on, as the decode policy lets them."""
        arrivals = self.arrivals
        part = _part(self.model, self.decode)
        if isinstance(arrivals, PacedArrivals) and part > 0:
            arrivals.begin(at_ns, round(NS_PER_S / (self.model.fps * part)))
        self.up = True

    def begin_session(self, now_ns: int) -> None:
        """It was declared down: what comes later has another name."""
        self.session += 1
        self.stream = StreamKey("host", "boot", "run", self.model.name, Role.DETECT, self.session)
        self.newest_session_index = max(self.told_index, self.arrivals.newest_at(now_ns))
        self._unseen = True

    def end(self, at_ns: int) -> None:
        """No picture is captured from `at_ns` on."""
        if isinstance(self.arrivals, PacedArrivals):
            self._end_stretch(self.arrivals, at_ns)
        self.up = False

    def _end_stretch(self, arrivals: PacedArrivals, at_ns: int) -> None:
        arrivals.end(at_ns)
        self.epoch += 1
        self.awaited_index = 0

    def set_decode(self, policy: DecodePolicy, now_ns: int) -> None:
        """The next pictures are decoded as `policy` says; those captured before are not touched."""
        if policy is self.decode:
            return
        self.decode = policy
        if self.up and isinstance(self.arrivals, PacedArrivals):
            self._end_stretch(self.arrivals, now_ns)
            self.begin(now_ns)

    def moved_until(self, capture_ns: int) -> bool:
        """Whether anything moved since what was told last, up to a frame of that capture; news is told in order."""
        moved = self._movement.moved_between(self.told_capture_ns, capture_ns)
        self.told_capture_ns = max(self.told_capture_ns, capture_ns)
        if self._unseen:
            self._unseen = False
            return True
        return moved

    def moves_at(self, capture_ns: int) -> bool:
        """Whether something moves before it when a frame told not long ago was captured."""
        return self._movement.moves_at(capture_ns)

    def ref(self, stream: StreamKey, index: int, capture_ns: int, decoded_ns: int) -> FrameRef:
        """The reference of a frame of that session."""
        return FrameRef(
            id=FrameId(stream, index - 1),
            index=index,
            capture=CaptureTime(capture_ns, TimeBasis.ARRIVAL, 0),
            received_ns=decoded_ns,
            decoded_ns=decoded_ns,
            width_px=640,
            height_px=360,
        )


def _part(model: CameraModel, decode: DecodePolicy) -> float:
    """Part of the pictures that are decoded. `auto` is taken as if it were always awake: dearer than it is."""
    match decode:
        case DecodePolicy.NONREF:
            return 1.0 - model.disposable
        case DecodePolicy.KEYFRAMES:
            return 1.0 / model.keyframe_every
        case DecodePolicy.NONE:
            return 0.0
        case _:
            return 1.0
