"""Whatever is passed over and whenever that changes: each unit has one fate, and no picture is shown that differs from
what decoding everything shows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.specs import DecodePolicy
from penstock.framebus.counters import CounterBlock
from penstock.ingest import gop_backlog
from penstock.ingest.books import WORDS, UnitBooks, UnitReading
from penstock.ingest.decode_choice import DecodeChoice
from penstock.ingest.policy_decoder import PolicyDecoder
from penstock.ingest.stream_load import StreamLoad
from penstock.sources import nal_units
from penstock.testkit.film import make_film, picture

ALL, NONREF, AUTO, KEYFRAMES, NONE = (
    DecodePolicy.ALL,
    DecodePolicy.NONREF,
    DecodePolicy.AUTO,
    DecodePolicy.KEYFRAMES,
    DecodePolicy.NONE,
)
GOP = 12
FRAMES = 60
QUIET_NS = 400_000_000
X264 = "scenecut=0:keyint=12:min-keyint=12:b-adapt=0"
X265 = f"log-level=none:pools=1:frame-threads=1:{X264}"
FILMS = {
    "H.264": ("libx264", f"{X264}:bframes=0"),
    "H.264 with B-frames": ("libx264", f"{X264}:bframes=2:b-pyramid=none"),
    "H.264 with B-frames that others refer to": ("libx264", f"{X264}:bframes=3:b-pyramid=normal"),
    "H.264 with open GOPs": ("libx264", f"{X264}:bframes=2:open-gop=1"),
    "H.265": ("libx265", f"{X265}:bframes=0"),
    "H.265 with open GOPs": ("libx265", f"{X265}:bframes=3:open-gop=1:b-pyramid=1"),
    "MPEG-4 with B-frames": ("mpeg4", ""),
    "MJPEG": ("mjpeg", ""),
}


@cache
def film(name: str) -> tuple[StreamInfo, tuple[EncodedPacket, ...]]:
    """Sixty pictures at 25 fps, a keyframe every twelve."""
    encoder, parameters = FILMS[name]
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.gop_size, context.thread_count = 64, 48, GOP, 1
    context.pix_fmt = "yuvj420p" if encoder == "mjpeg" else "yuv420p"
    context.time_base = Fraction(1, 25)
    context.max_b_frames = 2 if encoder == "mpeg4" else 0
    kind = "x264-params" if encoder == "libx264" else "x265-params"
    context.options = {"preset": "veryfast", kind: parameters} if parameters else {}
    made = []
    for i in range(FRAMES):
        frame = av.VideoFrame.from_ndarray(picture(i, 64, 48), "yuv420p").reformat(format=context.pix_fmt)
        frame.pts, frame.time_base = i, context.time_base
        made += context.encode(frame)
    made += context.encode(None)
    like = make_film(frames=1, width_px=64, height_px=48)
    codec = {"libx264": "h264", "libx265": "hevc"}.get(encoder, encoder)
    packets = []
    for seq, one in enumerate(made):
        assert one.pts is not None
        capture = msgspec.structs.replace(like.packets[0].capture, mono_ns=10**9 + one.pts * 40_000_000)
        packets.append(
            msgspec.structs.replace(
                like.packets[0],
                id=msgspec.structs.replace(like.packets[0].id, seq=seq),
                data=bytes(one),
                keyframe=one.is_keyframe,
                pts=one.pts * 3600,
                dts=None,
                capture=capture,
                disposable=nal_units.is_disposable(codec, bytes(one)),
            )
        )
    return msgspec.structs.replace(like.info, codec=codec, extradata=b""), tuple(packets)


@dataclass
class Shown:
    """A picture that was shown after unit `after` had come."""

    after: int
    unit: EncodedPacket
    pixels: NDArray[np.uint8]


@dataclass
class Seen:
    shown: list[Shown]
    reading: UnitReading
    load: StreamLoad

    @property
    def numbers(self) -> list[tuple[int, int]]:
        """(unit that had come, unit shown)."""
        return [(one.after, one.unit.id.seq) for one in self.shown]


def decode(
    info: StreamInfo,
    packets: Sequence[EncodedPacket],
    policies: Mapping[int, DecodePolicy],
    moved: Sequence[bool] = (True,),
) -> Seen:
    """`policies`: what is set before unit n comes. `moved`: what the gate says of picture after picture, again and
    again."""
    books = UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS))
    choice, load = DecodeChoice(ALL, QUIET_NS), StreamLoad()
    choice.begin_session()
    decoder = PolicyDecoder(info, books, load).open()
    shown: list[Shown] = []
    for n, packet in enumerate(packets):
        books.receive(len(packet.data))
        choice.policy = policies.get(n, choice.policy)
        wanted = choice.wants(packet)
        for unit, frame in decoder.decode(packet, wanted, choice.sparse):
            choice.seen(moved[len(shown) % len(moved)], unit.capture.mono_ns)
            shown.append(Shown(n, unit, np.asarray(frame.to_ndarray(), np.uint8)))
    shown += [Shown(len(packets), unit, np.asarray(frame.to_ndarray(), np.uint8)) for unit, frame in decoder.flush()]
    decoder.close()
    reading = books.reading()
    assert reading.in_flight == 0
    return Seen(shown, reading, load)


@cache
def whole(name: str) -> dict[int, NDArray[np.uint8]]:
    """Every picture of the film, by its unit."""
    seen = decode(*film(name), {})
    assert seen.reading.decoded == FRAMES
    return {one.unit.id.seq: one.pixels for one in seen.shown}


def assert_intact(name: str, seen: Seen) -> None:
    reading = seen.reading
    assert reading.received == reading.decoded + reading.skipped + reading.undecodable + reading.lost
    for one in seen.shown:
        assert (one.pixels == whole(name)[one.unit.id.seq]).all(), f"unit {one.unit.id.seq} looks otherwise"
    captured = [one.unit.capture.mono_ns for one in seen.shown]
    assert captured == sorted(set(captured)), "none comes twice, none after a newer one"


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(list(FILMS)),
    first=st.integers(0, GOP),
    policies=st.dictionaries(st.integers(0, FRAMES - 1), st.sampled_from(DecodePolicy), max_size=8),
    moved=st.lists(st.booleans(), min_size=1, max_size=5),
)
def test_books_balance_and_pictures_are_intact_under_any_policies(
    name: str, first: int, policies: dict[int, DecodePolicy], moved: list[bool]
) -> None:
    """Also where the stream is joined in the middle of a GOP."""
    info, packets = film(name)
    seen = decode(info, packets[first:], policies, moved)
    assert_intact(name, seen)
    assert seen.reading.lost == 0
    assert seen.load.decoded <= len(packets) - first


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(list(FILMS)),
    policies=st.dictionaries(st.integers(0, FRAMES - 1), st.sampled_from(DecodePolicy), min_size=1, max_size=6),
    corrupt=st.sets(st.integers(0, FRAMES - 1), max_size=4),
)
def test_what_is_damaged_is_not_shown_under_any_policies(
    name: str, policies: dict[int, DecodePolicy], corrupt: set[int]
) -> None:
    info, packets = film(name)
    marked = [msgspec.structs.replace(one, corrupt=one.id.seq in corrupt) for one in packets]
    seen = decode(info, marked, policies)
    assert_intact(name, seen)
    assert not corrupt & {one.unit.id.seq for one in seen.shown}


@pytest.mark.parametrize("name", FILMS)
def test_keyframes_are_shown_at_once_and_nothing_else_is_decoded(name: str) -> None:
    """Also where pictures come out of order, and the decoder alone would hold them back for a GOP or two."""
    info, packets = film(name)
    seen = decode(info, packets, {0: KEYFRAMES})
    keys = [one.id.seq for one in packets if one.keyframe]
    expected = [0, 25, 50] if name == "MJPEG" else keys
    assert seen.numbers == [(seq, seq) for seq in expected]
    assert (seen.load.decoded, seen.reading.decoded) == (len(expected), len(expected))
    assert seen.reading.skipped == FRAMES - len(expected)
    assert_intact(name, seen)


@pytest.mark.parametrize("name", ["H.264 with B-frames", "H.264 with B-frames that others refer to", "H.265"])
def test_nonref_decodes_what_others_refer_to(name: str) -> None:
    info, packets = film(name)
    disposable = {one.id.seq for one in packets if one.disposable}
    assert (not disposable) == (name == "H.265")
    seen = decode(info, packets, {0: NONREF})
    assert {one.unit.id.seq for one in seen.shown} == set(range(FRAMES)) - disposable
    assert seen.reading.skipped == len(disposable)
    assert_intact(name, seen)


CHANGES: dict[str, tuple[str, dict[int, DecodePolicy], list[tuple[int, int]], int]] = {
    "from keyframes: the GOP so far is decoded, the newest shown": (
        *("H.264", {0: KEYFRAMES, 20: ALL, 22: KEYFRAMES}),
        [(0, 0), (12, 12), (20, 20), (21, 21), (24, 24), (36, 36), (48, 48)],
        5 + 9,
    ),
    "from none: beginning with the GOP's keyframe": (
        *("H.264", {0: NONE, 14: ALL, 15: NONE}),
        [(14, 14)],
        3,
    ),
    "from none to keyframes: at the next one": (
        *("H.264", {0: NONE, 14: KEYFRAMES, 25: NONE}),
        [(24, 24)],
        1,
    ),
    "from all and back within a GOP: only what was passed over": (
        *("H.264", {0: ALL, 3: NONE, 6: ALL, 7: NONE}),
        [(0, 0), (1, 1), (2, 2), (6, 6)],
        7,
    ),
    "all the time to none, across a keyframe": (
        *("H.264", {0: ALL, 10: NONE, 13: ALL, 14: NONE}),
        [*((n, n) for n in range(10)), (13, 13)],
        12,
    ),
    "before the first keyframe there is nothing to decode": (
        *("H.264", {0: NONE, 1: ALL, 2: NONE}),
        [(1, 1)],
        2,
    ),
}


@pytest.mark.parametrize(("name", "policies", "shown", "decoded"), CHANGES.values(), ids=CHANGES)
def test_changes(name: str, policies: dict[int, DecodePolicy], shown: list[tuple[int, int]], decoded: int) -> None:
    seen = decode(*film(name), policies)
    assert seen.numbers == shown
    assert (seen.load.decoded, seen.reading.decoded) == (decoded, decoded)
    assert seen.reading.skipped == FRAMES - decoded
    assert_intact(name, seen)


def test_with_pictures_out_of_order_catching_up_shows_the_newest_there_is() -> None:
    name = "H.264 with B-frames"
    info, packets = film(name)
    seen = decode(info, packets, {0: KEYFRAMES, 20: ALL})
    assert_intact(name, seen)
    assert seen.numbers[:2] == [(0, 0), (12, 12)]
    caught_up = seen.shown[2]
    alone = decode(info, packets, {})
    newest = max(one.unit.capture.mono_ns for one in alone.shown if one.after <= 20)
    assert (caught_up.after, caught_up.unit.capture.mono_ns) == (20, newest), "as if all had been decoded"
    assert [one.unit.id.seq for one in seen.shown[2:]] == [
        one.unit.id.seq for one in alone.shown if one.unit.capture.mono_ns >= newest
    ]


def test_auto_decodes_all_while_something_moves() -> None:
    """The first picture of a session counts as movement; 400 ms of stillness later, the next keyframe is alone."""
    for name in ("H.264", "H.264 with B-frames"):
        info, packets = film(name)
        seen = decode(info, packets, {0: AUTO}, moved=[True, *[False] * 99])
        keys = [one.id.seq for one in packets if one.keyframe]
        assert {one.unit.id.seq for one in seen.shown} == {*range(keys[1]), *keys}
        assert_intact(name, seen)
        assert seen.reading.skipped == FRAMES - len(seen.shown)


@pytest.mark.parametrize(("most_units", "most_bytes"), [(5, 10**6), (300, 400)])
def test_beyond_the_bound_decoding_waits_for_a_keyframe(
    monkeypatch: pytest.MonkeyPatch, most_units: int, most_bytes: int
) -> None:
    monkeypatch.setattr(gop_backlog, "MOST_UNITS", most_units)
    monkeypatch.setattr(gop_backlog, "MOST_BYTES", most_bytes)
    info, packets = film("H.264")
    assert sum(len(one.data) for one in packets[12:20]) > 400
    seen = decode(info, packets, {0: KEYFRAMES, 20: ALL})
    assert seen.numbers == [(0, 0), (12, 12), *((n, n) for n in range(24, FRAMES))]
    assert_intact("H.264", seen)


def test_what_was_passed_over_is_in_flight_until_it_is_let_go() -> None:
    """A process that dies meanwhile has lost it; a session that ends has not."""
    info, packets = film("H.264")
    books = UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS))
    decoder = PolicyDecoder(info, books, StreamLoad()).open()
    held = []
    for packet in packets[:30]:
        books.receive(len(packet.data))
        assert [unit.id.seq for unit, _ in decoder.decode(packet, packet.keyframe, True)] == [packet.id.seq][
            : packet.keyframe
        ]
        held.append(books.in_flight())
    assert held == [*range(12), *range(12), *range(6)]
    decoder.close()
    assert (books.in_flight(), books.reading().skipped, books.reading().lost) == (0, 27, 0)


def test_pictures_older_than_a_gap_are_not_shown_after_it() -> None:
    """What the decoder held back when keyframes only were asked for would be a GOP old when it comes."""
    name = "H.264 with B-frames"
    info, packets = film(name)
    keys = [one.id.seq for one in packets if one.keyframe]
    seen = decode(info, packets, {keys[1] + 5: KEYFRAMES})
    assert_intact(name, seen)
    assert seen.numbers[-3:] == [(key, key) for key in keys[2:]]
    assert max(after for after, _ in seen.numbers[:-3]) == keys[1] + 4


def test_a_file_that_ends_after_a_gap_gives_out_nothing_old() -> None:
    info, packets = film("H.264 with B-frames")
    seen = decode(info, packets, {30: NONE})
    assert max(after for after, _ in seen.numbers) < 30
