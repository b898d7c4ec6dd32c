"""Decodes of one session's units what the policy asks for, and never a unit whose references were passed over.

What a policy passes over cannot simply be left out: everything after it in its GOP may refer to it, and FFmpeg shows
such pictures without a word. So once a unit that others refer to was passed over, decoding goes on only at a keyframe,
or by decoding first what was passed over: that is kept, within bounds, and its pictures are not shown.

Where pictures come out of order (B-frames), a decoder that gets only keyframes would hold each back until the next or
the one after it. So it is drained after each, and gets the keyframe a second time if the rest of its GOP is wanted.
"""

from collections.abc import Iterator

import av

from penstock.contracts.fates import UnitFate
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.ingest.books import UnitBooks
from penstock.ingest.decoder import Decoder
from penstock.ingest.gop_backlog import GopBacklog
from penstock.ingest.stream_load import StreamLoad

Shown = tuple[EncodedPacket, av.VideoFrame]


class PolicyDecoder:
    """For one codec configuration; used by the stream's thread. Every unit given to it is settled in the books: as
    `Decoder` says where it was decoded, `skipped` where it was passed over."""

    def __init__(self, info: StreamInfo, books: UnitBooks, load: StreamLoad) -> None:
        self._decoder = Decoder(info, books)
        self._books = books
        self._load = load
        self._backlog = GopBacklog()
        self._gap = False
        """a unit that others refer to was passed over since the last one decoded"""
        self._again: EncodedPacket | None = None
        """the keyframe that was shown at once and is not in the decoder any more"""
        self._first_pts: int | None = None
        """the GOP is decoded from its keyframe on: what is shown before that refers to the GOP before"""

    def open(self) -> "PolicyDecoder":
        """Raises ValueError where this FFmpeg has no decoder for the codec."""
        self._decoder.open()
        return self

    def decode(self, unit: EncodedPacket, wanted: bool, sparse: bool) -> Iterator[Shown]:
        """Takes the next unit and yields what is to be shown now, with the unit it came from.

        `sparse`: nothing between keyframes will be wanted, as it looks now. After a gap only the newest picture is
        yielded, and the units it passes over are decoded all the same.
        """
        if unit.keyframe:
            self._pass_over(self._backlog.restart())
            if wanted:
                yield from self._at_keyframe(unit, sparse)
                return
            self._decoder.forget()
            self._again, self._first_pts = None, unit.pts
        elif self._is_leading(unit):
            self._pass_over(1)
            return
        elif wanted:
            yield from self._within_group(unit)
            return
        elif unit.disposable:
            self._pass_over(1)
            return
        self._gap = True
        self._pass_over(self._backlog.keep(unit))

    def flush(self) -> Iterator[Shown]:
        """Gives out what the decoder still holds, unless it is older than what was passed over since."""
        if self._gap:
            self._decoder.forget()
        else:
            yield from self._decoder.flush()
        self._pass_over(len(self._backlog.take()))

    def close(self) -> None:
        """What was passed over stays so; what has shown no picture ends `lost`."""
        self._pass_over(len(self._backlog.take()))
        self._decoder.close()

    def _at_keyframe(self, unit: EncodedPacket, sparse: bool) -> Iterator[Shown]:
        if self._gap or self._again is not None:
            self._decoder.forget()
            self._first_pts = unit.pts
        else:
            self._first_pts = None
        self._gap, self._again = False, None
        yield from self._feed(unit)
        if sparse and self._decoder.holds(unit):
            yield from self._decoder.flush()
            self._decoder.forget()
            self._again, self._first_pts = unit, unit.pts

    def _within_group(self, unit: EncodedPacket) -> Iterator[Shown]:
        if not self._gap and self._again is None:
            yield from self._feed(unit)
            return
        if not self._backlog.whole:
            self._pass_over(1)
            return
        if self._again is not None:
            self._decoder.feed_again(self._again)
        self._gap, self._again = False, None
        newest: Shown | None = None
        for one in (*self._backlog.take(), unit):
            for shown in self._feed(one):
                newest = shown
        if newest is not None:
            yield newest

    def _feed(self, unit: EncodedPacket) -> Iterator[Shown]:
        self._load.decoded += 1
        return self._decoder.decode(unit)

    def _is_leading(self, unit: EncodedPacket) -> bool:
        return self._first_pts is not None and unit.pts is not None and unit.pts < self._first_pts

    def _pass_over(self, count: int) -> None:
        self._books.settle(UnitFate.SKIPPED, count)
