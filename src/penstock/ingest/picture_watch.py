"""Notices a stream that sends, but of which no picture can be made: connected is not the same as seen.

A camera that is joined in the middle of a GOP shows nothing until its next keyframe, and some are set to send one in
minutes, or none at all. The connection is kept all the same: a new one would only make the wait begin anew.
"""

from penstock.base.clock import NS_PER_S
from penstock.base.units import format_duration

PATIENCE_NS = 10 * NS_PER_S
"""keyframes further apart than this leave the camera blind for as long after every reconnect"""


class PictureWatch:
    """One session; told of every access unit. Pure."""

    def __init__(self, began_ns: int) -> None:
        self._since_ns = began_ns
        self._seen_keyframe = False
        self._barren_keyframes = 0
        self.blind = False
        """units come, and no picture has for longer than `PATIENCE_NS`"""

    def picture(self, now_ns: int) -> None:
        """One was made."""
        self._since_ns = now_ns
        self._barren_keyframes = 0
        self.blind = False

    def passed_over(self, now_ns: int, keyframe: bool) -> bool:
        """The decode policy did not ask for this unit: whether that is why no picture came of it. It is not while the
        stream has shown no keyframe yet, or when those that were decoded gave no picture."""
        self._seen_keyframe = self._seen_keyframe or keyframe
        if not self._seen_keyframe or self._barren_keyframes > 1:
            return False
        self._since_ns = now_ns
        self.blind = False
        return True

    def unit(self, now_ns: int, keyframe: bool) -> str:
        """A unit has been decoded, or could not be; what to tell when it shows that the stream cannot be seen, once for
        each such stretch, '' otherwise."""
        self._seen_keyframe = self._seen_keyframe or keyframe
        self._barren_keyframes += keyframe
        if self.blind or now_ns - self._since_ns < PATIENCE_NS:
            return ""
        self.blind = True
        waited = format_duration(PATIENCE_NS)
        if not self._seen_keyframe:
            return (
                f"it sends, but no keyframe for {waited}: nothing can be decoded before one comes. "
                "Set the camera's keyframe interval (I-frame interval, GOP) to 1 to 4 s"
            )
        return (
            f"it sends, but no picture could be decoded for {waited}. "
            "Check its picture with another player, and the network for damage; another codec or profile may help"
        )
