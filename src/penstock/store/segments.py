"""The files of a journal by number: which there are, which whole records they hold, how to follow them as they grow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from penstock.store.records import MAGIC, SUFFIX, Damaged, JournalRecord, Position, parse_record

_READ_BYTES = 256 * 1024


def segment_path(folder: Path, number: int) -> Path:
    return folder / f"{number:08d}{SUFFIX}"


def segment_numbers(folder: Path) -> list[int]:
    """Numbers of the segments in `folder`, oldest first; other files are none of its business."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit())


def records_in(path: Path) -> Iterator[tuple[JournalRecord, int]]:
    """Whole records from the start of a segment up to the first damage, each with the offset behind it."""
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        return
    at = len(MAGIC)
    while True:
        try:
            record, at = parse_record(data, at)
        except Damaged:
            return
        yield record, at


@dataclass(frozen=True, slots=True)
class ReaderStatistics:
    """Cumulative counts of one reader."""

    records: int
    damaged_segments: int
    """segments left before their end, because what followed was damaged"""
    skipped_segments: int
    """segments that had expired before they were read"""
    skipped_bytes: int
    """bytes of damaged tails; those of expired segments are known to the writer"""


class JournalReader:
    """Follows a journal from a position, without waiting, while one writer appends to it. Used by one thread."""

    def __init__(self, folder: Path, position: Position = Position()) -> None:  # noqa: B008 - frozen
        self._folder = folder
        self._position = position
        self._records = 0
        self._damaged_segments = 0
        self._skipped_segments = 0
        self._skipped_bytes = 0

    @property
    def position(self) -> Position:
        """Behind the last record that was read."""
        return self._position

    def read_nowait(self, limit: int) -> list[JournalRecord]:
        """Up to `limit` records that follow, in journal order; [] where there are none yet.

        A record that is only partly written is not there yet, as long as its segment is the last. Raises OSError.
        """
        found: list[JournalRecord] = []
        while len(found) < limit:
            more = self._read_segment(limit - len(found))
            found += more
            if not more and not self._advance():
                break
        self._records += len(found)
        return found

    def seek(self, position: Position) -> None:
        """Goes on at `position`, as after a batch that could not be delivered."""
        self._position = position

    def backlog_bytes(self) -> int:
        """Bytes of the journal behind the position."""
        total = 0
        for number in segment_numbers(self._folder):
            if number >= self._position.segment:
                try:
                    size = segment_path(self._folder, number).stat().st_size
                except FileNotFoundError:
                    continue
                read = self._position.offset if number == self._position.segment else 0
                total += max(0, size - max(read, len(MAGIC)))
        return total

    def statistics(self) -> ReaderStatistics:
        return ReaderStatistics(self._records, self._damaged_segments, self._skipped_segments, self._skipped_bytes)

    def _read_segment(self, limit: int) -> list[JournalRecord]:
        number, offset = self._position.segment, max(self._position.offset, len(MAGIC))
        try:
            with segment_path(self._folder, number).open("rb") as file:
                if file.read(len(MAGIC)) != MAGIC:
                    return []
                file.seek(offset)
                data = file.read(_READ_BYTES)
                found: list[JournalRecord] = []
                at = 0
                while len(found) < limit:
                    try:
                        record, at = parse_record(data, at)
                    except Damaged:
                        more = file.read(max(_READ_BYTES, len(data))) if not found else b""
                        if not more:
                            break
                        data += more
                        continue
                    found.append(record)
        except FileNotFoundError:
            return []
        if found:
            self._position = Position(number, offset + at)
        return found

    def _advance(self) -> bool:
        """Goes to the next segment where nothing more can come in this one; False where it is the last."""
        here = self._position
        numbers = segment_numbers(self._folder)
        later = [number for number in numbers if number > here.segment]
        if not later:
            if numbers and numbers[-1] < here.segment:
                # Numbers never fall: this is another journal, and all of it is new.
                self._position = Position(numbers[0], len(MAGIC))
                return True
            return False
        path = segment_path(self._folder, here.segment)
        if path.exists():
            # The writer may have completed the record and gone on to the next segment since it was tried.
            before = self._position
            if self._read_segment(1):
                self._position = before
                return True
            rest = path.stat().st_size - max(here.offset, len(MAGIC))
            if rest > 0:
                self._damaged_segments += 1
                self._skipped_bytes += rest
        elif here.segment > 0:
            self._skipped_segments += 1
        self._skipped_segments += max(0, later[0] - here.segment - 1) if here.segment > 0 else 0
        self._position = Position(later[0], len(MAGIC))
        return True
