"""Which access units of a detect stream the decode policy asks for, and when `auto` wakes and rests.

Keyframes that follow one another (MJPEG, raw pixels, all-intra H.264) need no other picture each, so that "keyframes"
alone would save nothing there: of those, one a second is meant.
"""

from penstock.base.clock import NS_PER_S
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.specs import DecodePolicy

KEYFRAME_EVERY_NS = NS_PER_S
"""of a stream whose every picture is a keyframe, one so often stands for all"""


class DecodeChoice:
    """One stream over all its sessions. Used by its thread, but for `policy`, which any thread may set. Pure: `auto`
    measures stillness on the capture times of what is decoded."""

    def __init__(self, policy: DecodePolicy, quiet_ns: int) -> None:
        self.policy = policy
        self._quiet_ns = quiet_ns
        self._awake = False
        self._moved_ns: int | None = None
        self._after_keyframe = False
        self._keyframe_due_ns: int | None = None
        self.keyframe = False
        """whether the last unit is one that the policy `keyframes` asks for"""

    def begin_session(self) -> None:
        """A new session: its first picture counts as movement (see `Gate`), so that `auto` begins awake."""
        self._awake = False
        self._moved_ns = None
        self._after_keyframe = False
        self._keyframe_due_ns = None

    def wants(self, unit: EncodedPacket) -> bool:
        """Whether `unit` is to be decoded; to be called once for every unit, in order of arrival."""
        self.keyframe = self._stands_for_others(unit)
        if unit.keyframe and self._is_still(unit.capture.mono_ns):
            self._awake = False
        match self.policy:
            case DecodePolicy.ALL:
                return True
            case DecodePolicy.NONREF:
                return not unit.disposable
            case DecodePolicy.AUTO:
                return self._awake or self.keyframe
            case DecodePolicy.KEYFRAMES:
                return self.keyframe
            case DecodePolicy.NONE:
                return False

    @property
    def sparse(self) -> bool:
        """Nothing will be asked for between keyframes, as it looks now."""
        policy = self.policy
        return policy in (DecodePolicy.KEYFRAMES, DecodePolicy.NONE) or (
            policy is DecodePolicy.AUTO and not self._awake
        )

    def seen(self, moved: bool, capture_ns: int) -> None:
        """What the gate said of the picture captured at `capture_ns`."""
        if moved:
            self._awake = True
            self._moved_ns = capture_ns

    def _is_still(self, now_ns: int) -> bool:
        return self._moved_ns is None or now_ns - self._moved_ns >= self._quiet_ns

    def _stands_for_others(self, unit: EncodedPacket) -> bool:
        follows, self._after_keyframe = self._after_keyframe, unit.keyframe
        if not unit.keyframe:
            return False
        now_ns, due_ns = unit.capture.mono_ns, self._keyframe_due_ns
        if follows and due_ns is not None and now_ns < due_ns:
            return False
        # On a grid, so that pictures which come a little late do not make it slower.
        on_grid = follows and due_ns is not None and now_ns < due_ns + KEYFRAME_EVERY_NS
        self._keyframe_due_ns = (due_ns if on_grid and due_ns is not None else now_ns) + KEYFRAME_EVERY_NS
        return True
