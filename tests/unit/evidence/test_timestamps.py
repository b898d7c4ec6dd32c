"""Stamps for the muxer: exact for known streams, and never unplayable whatever comes in."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.evidence.timestamps import LOOK_AHEAD, Stamp, Timeline, Timing, fine_time_base, stamp_all

FRAME = 3600
FRAME_NS = 40_000_000
CLOCK = (1, 90_000)


def timings(frames: list[int | None], base: int = 0) -> list[Timing]:
    """Packets in decode order whose presentation time is frame number × 1/25 s; None: the time is missing."""
    numbers = [i if frame is None else frame for i, frame in enumerate(frames)]
    return [
        Timing(None if frame is None else base + frame * FRAME, None, FRAME, number * FRAME_NS)
        for frame, number in zip(frames, numbers, strict=True)
    ]


def in_frames(stamps: list[Stamp]) -> list[tuple[float, float]]:
    return [(stamp.pts / FRAME, stamp.dts / FRAME) for stamp in stamps]


@pytest.mark.parametrize(
    ("name", "frames", "declared", "expected"),
    [
        ("in order", [0, 1, 2, 3], 0, [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ("first time missing", [None, 1, 2, 3], 0, [(0, 0), (1, 1), (2, 2), (3, 3)]),
        ("all times missing", [None, None, None], 0, [(0, 0), (1, 1), (2, 2)]),
        ("one B-frame", [0, 2, 1, 4, 3], 1, [(0, -1), (2, 0), (1, 1), (4, 2), (3, 3)]),
        ("B-frames not declared", [0, 2, 1, 4, 3], 0, [(0, -1), (2, 0), (1, 1), (4, 2), (3, 3)]),
        ("pyramid", [0, 4, 2, 1, 3], 2, [(0, -2), (4, -1), (2, 0), (1, 1), (3, 2)]),
        ("leading pictures of an open GOP", [2, 0, 1, 3], 1, [(2, -1), (0, 0), (1, 1), (3, 2)]),
        ("one packet", [7], 0, [(0, 0)]),
        ("a picture lost", [0, 1, 4, 5], 0, [(0, 0), (1, 1), (4, 4), (5, 5)]),
    ],
)
def test_known_streams(name: str, frames: list[int | None], declared: int, expected: list[tuple[float, float]]) -> None:
    assert in_frames(stamp_all(timings(frames, base=123_456), CLOCK, declared, 25.0)) == expected, name


def test_a_wrapped_clock_goes_on_where_the_capture_time_puts_it() -> None:
    before = [Timing(2**32 + i * FRAME, None, FRAME, i * FRAME_NS) for i in range(20)]
    after = [Timing(i * FRAME, None, FRAME, (20 + i) * FRAME_NS) for i in range(20)]
    timeline = Timeline(CLOCK, 0, 25.0)
    stamps = [stamp for timing in before + after for stamp in timeline.push(timing)] + timeline.flush()
    assert in_frames(stamps) == [(i, i) for i in range(40)]
    assert timeline.repaired == 1


def test_a_silence_keeps_its_true_length() -> None:
    stamps = stamp_all([Timing(0, None, FRAME, 0), Timing(900_000, None, FRAME, 10_000_000_000)], CLOCK)
    assert stamps[1].pts - stamps[0].pts == 900_000


def test_reordering_that_begins_later_stays_in_order_by_single_ticks() -> None:
    frames = [*range(40), 43, 41, 40, 42, 44]
    stamps = stamp_all(timings(list(frames)), CLOCK, 0, 25.0)
    assert [stamp.pts for stamp in stamps] == [frame * FRAME for frame in frames]
    assert all(a.dts < b.dts <= b.pts for a, b in pairwise(stamps))


def test_coarse_ticks_are_divided() -> None:
    assert fine_time_base((1, 25)).denominator >= 10_000
    assert fine_time_base((1, 90_000)) == fine_time_base((0, 0))
    stamps = stamp_all([Timing(i, None, 1, i * FRAME_NS) for i in (0, 2, 1, 4, 3)], (1, 25))
    scale = 1 / 25 / float(fine_time_base((1, 25)))
    assert [round(stamp.pts / scale) for stamp in stamps] == [0, 2, 1, 4, 3]


any_timing = st.builds(
    Timing,
    pts=st.none() | st.integers(-(2**33), 2**33),
    dts=st.none() | st.integers(-(2**33), 2**33),
    duration=st.integers(0, 10_000),
    capture_ns=st.integers(0, 10**12),
)
any_base = st.sampled_from([(1, 90_000), (1, 25), (1001, 30_000), (1, 1000), (1, 12_800), (0, 1), (1, 1)])


@given(st.lists(any_timing, max_size=80), any_base, st.integers(0, 20), st.sampled_from([0.0, 5.0, 25.0, 29.97]))
def test_any_packets_can_be_muxed(
    packets: list[Timing], time_base: tuple[int, int], reorder_frames: int, fps: float
) -> None:
    stamps = stamp_all(packets, time_base, reorder_frames, fps)
    assert len(stamps) == len(packets)
    previous = -(10**9)
    for stamp in stamps:
        assert previous < stamp.dts <= stamp.pts
        assert stamp.pts >= 0
        assert stamp.duration > 0
        previous = stamp.dts


@st.composite
def reordered(draw: st.DrawFn) -> list[int]:
    """Frame numbers in a decode order that no decoder refuses: each overtaken by at most 16 others."""
    order: list[int] = []
    number = 0
    for _ in range(draw(st.integers(1, 6))):
        size = draw(st.integers(1, LOOK_AHEAD))
        group = list(range(number, number + size))
        anchor = group.pop()
        order += [anchor, *draw(st.permutations(group))]
        number += size
    return order


@given(reordered(), st.integers(0, 2**33), st.booleans())
def test_true_times_are_kept(frames: list[int], base: int, coarse: bool) -> None:
    tick = 1 if coarse else FRAME
    time_base = (1, 25) if coarse else CLOCK
    packets = [Timing(base + frame * tick, None, tick, frame * FRAME_NS) for frame in frames]
    stamps = stamp_all(packets, time_base, 0, 25.0)
    scale = round(1 / 25 / float(fine_time_base(time_base)))
    shift = stamps[0].pts - frames[0] * scale
    assert [stamp.pts - shift for stamp in stamps] == [frame * scale for frame in frames]


@given(st.lists(any_timing, max_size=60), st.integers(0, 16))
def test_pushing_one_by_one_is_the_same_as_all_at_once(packets: list[Timing], reorder_frames: int) -> None:
    timeline = Timeline(CLOCK, reorder_frames, 25.0)
    stamps: list[Stamp] = []
    for i, packet in enumerate(packets):
        stamps += timeline.push(packet)
        assert len(stamps) == max(0, i + 1 - LOOK_AHEAD)
    assert stamps + timeline.flush() == stamp_all(packets, CLOCK, reorder_frames, 25.0)
