"""Durations counted in buckets of at most 3.2 % width: any percentile within 1.6 %, in bounded memory.

Log-linear buckets after HdrHistogram (Gil Tene): each power of two is cut into 32 equal parts, so the bucket of a
value is a shift and an add, and merging two histograms adds their counts. Percentiles answer with the middle of
a bucket, which is what halves the error.
"""

import itertools
from array import array
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

_SUB_BITS = 5
_SUB = 1 << _SUB_BITS
_MAX_BITS = 43
MAX_NS = (1 << _MAX_BITS) - 1
"""about 2 h 26 min; longer durations are counted as this long"""
BUCKETS = (_MAX_BITS - _SUB_BITS + 1) * _SUB
_WIDTHS: tuple[tuple[int, Literal["B", "H", "I", "Q"]], ...] = ((1, "B"), (2, "H"), (4, "I"), (8, "Q"))


def bucket_of(value_ns: int) -> int:
    """The bucket of a value in 0 to `MAX_NS`; values below 64 ns have one each."""
    shift = value_ns.bit_length() - _SUB_BITS - 1
    return value_ns if shift <= 0 else (shift << _SUB_BITS) + (value_ns >> shift)


def bounds_of(bucket: int) -> tuple[int, int]:
    """Lowest and highest value of a bucket, both included."""
    if bucket < 2 * _SUB:
        return bucket, bucket
    shift = (bucket >> _SUB_BITS) - 1
    low = (bucket - (shift << _SUB_BITS)) << shift
    return low, low + (1 << shift) - 1


class HistogramRecord(msgspec.Struct, frozen=True, gc=False):
    """A histogram as it travels: the used range of its buckets, packed in the narrowest width that holds them."""

    count: int = 0
    sum_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0
    first: int = 0
    """bucket of the first count"""
    width_bytes: int = 1
    """of each count: 1, 2, 4 or 8; native byte order, for records do not leave the host"""
    counts: bytes = b""


class Histogram:
    """Counts durations in nanoseconds; one writer, and readers that accept a value more or less."""

    __slots__ = ("_counts", "_max_ns", "_min_ns", "_sum_ns")

    def __init__(self) -> None:
        self._counts = array("Q", bytes(8 * BUCKETS))
        self._sum_ns = 0
        self._min_ns = MAX_NS
        self._max_ns = 0

    def record(self, value_ns: int) -> None:
        """Counts one duration; below zero counts as 0 and above `MAX_NS` as `MAX_NS`."""
        if value_ns > self._max_ns:
            value_ns = min(value_ns, MAX_NS)
            self._max_ns = value_ns
        if value_ns < self._min_ns:
            value_ns = max(value_ns, 0)
            self._min_ns = value_ns
        self._sum_ns += value_ns
        shift = value_ns.bit_length() - 6
        self._counts[value_ns if shift <= 0 else (shift << 5) + (value_ns >> shift)] += 1

    @property
    def count(self) -> int:
        return sum(self._counts)

    @property
    def sum_ns(self) -> int:
        return self._sum_ns

    @property
    def max_ns(self) -> int:
        return self._max_ns

    @property
    def min_ns(self) -> int:
        """0 while nothing has been counted."""
        return min(self._min_ns, self._max_ns)

    def percentile_ns(self, percent: float) -> int:
        """The value that `percent` of all are not above, within 1.6 %; 0 while nothing has been counted."""
        if not 0 <= percent <= 100:
            raise ValueError(f"a percentile lies between 0 and 100, not at {percent}")
        total = self.count
        if total == 0:
            return 0
        rank = max(1, -int(-total * percent // 100))
        seen = 0
        for bucket, counted in enumerate(self._counts):
            seen += counted
            if seen >= rank:
                low, high = bounds_of(bucket)
                return min(max((low + high) // 2, self.min_ns), self._max_ns)
        return self._max_ns

    def cumulative(self, bounds_ns: Sequence[int]) -> list[int]:
        """For each of the ascending `bounds_ns`, how many values are not above it, by the middle of their bucket."""
        totals = list(itertools.accumulate(self._counts))
        counts = []
        for bound_ns in bounds_ns:
            bucket = bucket_of(min(max(bound_ns, 0), MAX_NS))
            low, high = bounds_of(bucket)
            last = bucket if (low + high) // 2 <= bound_ns else bucket - 1
            counts.append(totals[last] if last >= 0 else 0)
        return counts

    def merge(self, other: "Histogram | HistogramRecord") -> None:
        """Adds the counts of `other`: the same as having recorded its values here."""
        if isinstance(other, Histogram):
            other = other.to_record()
        if other.count == 0:
            return
        typecode = next(code for width, code in _WIDTHS if width == other.width_bytes)
        counts = array(typecode, other.counts)
        for bucket, counted in enumerate(counts, other.first):
            self._counts[bucket] += counted
        self._sum_ns += other.sum_ns
        self._min_ns = min(self._min_ns, other.min_ns)
        self._max_ns = max(self._max_ns, other.max_ns)

    def without(self, earlier: "Histogram") -> "Histogram":
        """What this one has beyond an earlier state of itself; all of it, where `earlier` is no such state.

        Least and greatest value are then only known by their buckets.
        """
        rest = Histogram()
        for bucket, (now, before) in enumerate(zip(self._counts, earlier._counts, strict=True)):
            if before > now:
                return merged([self.to_record()])
            if now > before:
                low, high = bounds_of(bucket)
                rest._counts[bucket] = now - before
                rest._min_ns = min(rest._min_ns, max(low, self.min_ns))
                rest._max_ns = max(rest._max_ns, min(high, self._max_ns))
        rest._sum_ns = self._sum_ns - earlier._sum_ns
        return rest

    def to_record(self) -> HistogramRecord:
        """A copy that travels: about 600 bytes for durations between 1 ms and 1 s."""
        first, last = bucket_of(self.min_ns), bucket_of(self._max_ns)
        used = self._counts[first : last + 1]
        count = sum(used)
        if count == 0:
            return HistogramRecord()
        largest = max(used)
        width_bytes, typecode = next(entry for entry in _WIDTHS if largest < 1 << (8 * entry[0]))
        return HistogramRecord(
            count=count,
            sum_ns=self._sum_ns,
            min_ns=self.min_ns,
            max_ns=self._max_ns,
            first=first,
            width_bytes=width_bytes,
            counts=array(typecode, used).tobytes(),
        )


def merged(records: Iterable[HistogramRecord]) -> Histogram:
    """One histogram of all the values of `records`."""
    histogram = Histogram()
    for record in records:
        histogram.merge(record)
    return histogram


def grown(newer: HistogramRecord, older: HistogramRecord) -> Histogram:
    """What was recorded between two records of the same histogram; where it began anew, all of `newer`."""
    later, earlier = merged([newer]), merged([older])
    return later.without(earlier)
