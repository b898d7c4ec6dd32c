"""The books of access units: `received = decoded + skipped + undecodable + lost`, in memory that outlives us."""

import enum

import msgspec

from penstock.contracts.counters import Counters
from penstock.contracts.fates import UnitFate


class Word(enum.IntEnum):
    """Place of each number in a stream's counters; the fates of units come first."""

    DECODED = UnitFate.DECODED
    SKIPPED = UnitFate.SKIPPED
    UNDECODABLE = UnitFate.UNDECODABLE
    LOST = UnitFate.LOST
    RECEIVED = 4
    FRAMES = 5
    """decoded frames given an index: what lanes are offered"""
    STILL = 6
    SESSIONS = 7
    CONNECT_FAILURES = 8
    STALLS = 9
    NOTICES_REFUSED = 10
    VIEWS = 11
    VIEWS_REFUSED = 12
    RECEIVED_BYTES = 13
    TIME_JUMPS = 14
    """this and the three from 17 on are what sessions count: see `contracts.sources.SessionStatistics`"""
    KEPT = 15
    """units of a stream that is only recorded: nobody decodes them"""
    UNPROVEN = 16
    """not 0 from the attempt to connect until its first picture: how many processes in a row have ended since then,
    this one included"""
    SLIPS = 17
    LOST_PACKETS = 18
    TIMES_REFUSED = 19


WORDS = len(Word)


class UnitBooks:
    """One stream's counters; each word has one writer: the stream's thread, or ingest's loop for views and notices."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def close_after_crash(self) -> int:
        """Units that nobody holds any more, after a crash or an unexpected end of a session, were lost; returns
        how many."""
        lost = self.in_flight()
        if lost:
            self._counters.add(Word.LOST, lost)
        return lost

    def trial_begins(self, deaths: int) -> None:
        """A connection is tried that may crash FFmpeg, after `deaths` processes that ended in the middle of it."""
        self._counters.set(Word.UNPROVEN, deaths + 1)

    def trial_passed(self) -> None:
        """The connection showed a picture, or ended in good order."""
        self._counters.set(Word.UNPROVEN, 0)

    def deaths_on_trial(self) -> int:
        """How many processes in a row have ended between this stream's attempt to connect and its first picture; to be
        asked by a new process, before its own attempt."""
        return self._counters[Word.UNPROVEN]

    def in_flight(self) -> int:
        """Units without a fate."""
        received = self._counters[Word.RECEIVED]
        return received - self._counters[Word.KEPT] - sum(self._counters[fate] for fate in UnitFate)

    def receive(self, size_bytes: int) -> None:
        self._counters.add(Word.RECEIVED)
        self._counters.add(Word.RECEIVED_BYTES, size_bytes)

    def settle(self, fate: UnitFate, count: int = 1) -> None:
        if count:
            self._counters.add(fate, count)

    def count(self, word: Word, amount: int = 1) -> None:
        if amount:
            self._counters.add(word, amount)

    def next_frame_index(self) -> int:
        """The index of the frame decoded now: one more than ever before, across sessions and crashes."""
        self._counters.add(Word.FRAMES)
        return self._counters[Word.FRAMES]

    def reading(self) -> "UnitReading":
        return read_units(self._counters)


class UnitReading(msgspec.Struct, frozen=True):
    """One stream's books at one instant."""

    received: int
    decoded: int
    skipped: int
    undecodable: int
    lost: int
    kept: int
    frames: int
    still: int
    sessions: int
    connect_failures: int
    stalls: int
    notices_refused: int
    views: int
    views_refused: int
    received_bytes: int
    time_jumps: int
    slips: int
    lost_packets: int
    times_refused: int

    @property
    def in_flight(self) -> int:
        return self.received - self.kept - self.decoded - self.skipped - self.undecodable - self.lost


def read_units(counters: Counters) -> UnitReading:
    """Reads a stream's books from any process that has its counters."""
    return UnitReading(
        received=counters[Word.RECEIVED],
        decoded=counters[Word.DECODED],
        skipped=counters[Word.SKIPPED],
        undecodable=counters[Word.UNDECODABLE],
        lost=counters[Word.LOST],
        kept=counters[Word.KEPT],
        frames=counters[Word.FRAMES],
        still=counters[Word.STILL],
        sessions=counters[Word.SESSIONS],
        connect_failures=counters[Word.CONNECT_FAILURES],
        stalls=counters[Word.STALLS],
        notices_refused=counters[Word.NOTICES_REFUSED],
        views=counters[Word.VIEWS],
        views_refused=counters[Word.VIEWS_REFUSED],
        received_bytes=counters[Word.RECEIVED_BYTES],
        time_jumps=counters[Word.TIME_JUMPS],
        slips=counters[Word.SLIPS],
        lost_packets=counters[Word.LOST_PACKETS],
        times_refused=counters[Word.TIMES_REFUSED],
    )
