"""The books of access units balance whatever is fed to the decoder and whenever its process is killed; with a sound
stream each picture is matched to the unit that it came from.
"""

import random
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.contracts.fates import UnitFate
from penstock.contracts.packets import EncodedPacket
from penstock.framebus.counters import CounterBlock
from penstock.ingest.books import WORDS, UnitBooks, Word, read_units
from penstock.ingest.decoder import Decoder
from penstock.testkit.film import Film, make_film


@cache
def film(b_frames: int) -> Film:
    return make_film(frames=40, b_frames=b_frames, gop=10, width_px=64, height_px=48)


def new_books() -> tuple[UnitBooks, CounterBlock]:
    counters = CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS)
    return UnitBooks(counters), counters


def damaged(packet: EncodedPacket, drawn: random.Random) -> EncodedPacket:
    data = bytearray(packet.data)
    kind = drawn.randrange(4)
    if kind == 0:
        del data[drawn.randrange(1, len(data)) :]
    elif kind == 1:
        data = bytearray(drawn.randbytes(len(data)))
    elif kind == 2:
        data = bytearray()
    else:
        for _ in range(5):
            data[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
    return msgspec.structs.replace(packet, data=bytes(data))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9), b_frames=st.sampled_from([0, 2]))
def test_every_unit_has_one_fate(seed: int, b_frames: int) -> None:
    """Units are fed whole, damaged, empty or not at all; the session ends, is flushed, or dies with its process."""
    drawn = random.Random(seed)
    source = film(b_frames)
    books, counters = new_books()
    decoder = Decoder(source.info, books).open()
    held, pictures = 0, 0
    for packet in source.packets:
        step = drawn.random()
        if step < 0.1:
            continue
        if step < 0.25:
            packet = damaged(packet, drawn)  # noqa: PLW2901
        books.receive(len(packet.data))
        taken = [(unit.id.seq, picture) for unit, picture in decoder.decode(packet)]
        pictures += len(taken)
        held = books.in_flight()
        assert held == len(decoder._held) <= 17
        ending = drawn.random()
        if ending < 0.05:
            if drawn.random() < 0.5:
                pictures += sum(1 for _ in decoder.flush())
                assert books.in_flight() == 0
            decoder.close()
            assert books.in_flight() == 0
            decoder = Decoder(source.info, books).open()
        elif ending < 0.08:
            # The process is killed, and another takes over.
            books = UnitBooks(counters)
            assert books.close_after_crash() == held
            decoder = Decoder(source.info, books).open()
    decoder.close()
    reading = read_units(counters)
    assert reading.in_flight == 0
    assert reading.received == reading.decoded + reading.skipped + reading.undecodable + reading.lost
    assert reading.decoded == pictures
    assert reading.received_bytes <= sum(len(packet.data) for packet in source.packets)


@pytest.mark.parametrize("b_frames", [0, 1, 2, 3])
def test_pictures_come_in_presentation_order_each_with_its_own_unit(b_frames: int) -> None:
    source = make_film(frames=40, b_frames=b_frames, gop=10)
    books, counters = new_books()
    decoder = Decoder(source.info, books).open()
    shown = []
    for packet in source.packets:
        books.receive(len(packet.data))
        shown += list(decoder.decode(packet))
    if b_frames:
        assert any(a.dts != a.pts for a in source.packets), "the film has pictures out of order"
    shown += list(decoder.flush())
    decoder.close()
    assert [unit.pts for unit, _ in shown] == [number * 3600 for number in range(40)]
    assert [picture.pts for _, picture in shown] == [unit.pts for unit, _ in shown]
    for number, (_, picture) in enumerate(shown):
        drawn = source.pictures[number][:96].astype(int)
        luma = picture.to_ndarray()[:96].astype(int)
        assert abs(luma - drawn).mean() < 6, f"picture {number} is another"
    reading = read_units(counters)
    assert (reading.received, reading.decoded) == (40, 40)


def test_what_comes_before_the_first_keyframe_is_undecodable() -> None:
    source = film(0)
    books, counters = new_books()
    decoder = Decoder(source.info, books).open()
    shown = []
    for packet in source.packets[4:]:
        books.receive(len(packet.data))
        shown += [unit.id.seq for unit, _ in decoder.decode(packet)]
    assert shown[0] == 10
    assert read_units(counters).undecodable == 6


def test_a_session_that_ends_loses_what_was_held_back() -> None:
    source = film(2)
    books, counters = new_books()
    decoder = Decoder(source.info, books).open()
    for packet in source.packets[:8]:
        books.receive(len(packet.data))
        list(decoder.decode(packet))
    held = books.in_flight()
    assert held > 0
    decoder.close()
    assert read_units(counters).lost == held


def test_a_codec_without_decoder_is_named() -> None:
    books, _ = new_books()
    info = msgspec.structs.replace(film(0).info, codec="no-such-codec")
    with pytest.raises(ValueError, match="FFmpeg has no decoder for no-such-codec"):
        Decoder(info, books).open()


@given(
    calls=st.lists(st.tuples(st.sampled_from(["receive", "keep", *UnitFate, "frame"]), st.integers(1, 9)), max_size=30)
)
def test_a_killed_writer_leaves_books_that_can_be_closed(calls: list[tuple[str | UnitFate, int]]) -> None:
    """Whatever was counted before: the rest is lost, once."""
    books, counters = new_books()
    frames = 0
    for call, amount in calls:
        if call == "receive":
            for _ in range(amount):
                books.receive(100)
        elif call == "keep" and books.in_flight():
            books.count(Word.KEPT)
        elif isinstance(call, UnitFate):
            books.settle(call, min(amount, books.in_flight()))
        elif call == "frame":
            frames += 1
            assert books.next_frame_index() == frames
    rest = books.in_flight()
    successor = UnitBooks(counters)
    assert successor.close_after_crash() == rest
    assert successor.close_after_crash() == 0
    assert successor.reading().in_flight == 0
    assert successor.next_frame_index() == frames + 1
