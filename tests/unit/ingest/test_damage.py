"""What is damaged, or built on damage, is counted and not shown, up to the next intact keyframe."""

from collections.abc import Sequence

import msgspec
import pytest

from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.framebus.counters import CounterBlock
from penstock.ingest.books import WORDS, UnitBooks, UnitReading
from penstock.ingest.decoder import Decoder
from penstock.testkit.film import Film, make_film


def shown(info: StreamInfo, packets: Sequence[EncodedPacket]) -> tuple[list[int], UnitReading]:
    """Numbers of the units whose pictures are given out, in that order, and the books."""
    books = UnitBooks(CounterBlock(memoryview(bytearray(8 * WORDS)), WORDS))
    decoder = Decoder(info, books).open()
    numbers = []
    for packet in packets:
        books.receive(len(packet.data))
        numbers += [unit.id.seq for unit, _ in decoder.decode(packet)]
    numbers += [unit.id.seq for unit, _ in decoder.flush()]
    decoder.close()
    reading = books.reading()
    assert reading.in_flight == 0
    return numbers, reading


def film_of(encoder: str, b_frames: int = 0) -> Film:
    return make_film(encoder, 20, gop=5, width_px=64, height_px=48, b_frames=b_frames)


def lossy(film: Film, *numbers: int) -> list[EncodedPacket]:
    return [msgspec.structs.replace(p, corrupt=p.id.seq in numbers) for p in film.packets]


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "mpeg4"])
def test_a_lost_packet_costs_the_rest_of_its_group(encoder: str) -> None:
    film = film_of(encoder)
    keys = [packet.id.seq for packet in film.packets if packet.keyframe]
    assert keys == [0, 5, 10, 15]
    numbers, reading = shown(film.info, lossy(film, 7))
    assert numbers == [n for n in range(20) if n not in (7, 8, 9)]
    assert (reading.decoded, reading.undecodable) == (17, 3)


def test_a_damaged_keyframe_costs_its_group_and_heals_nothing() -> None:
    film = film_of("libx264")
    numbers, reading = shown(film.info, lossy(film, 7, 10))
    assert numbers == [*range(7), *range(15, 20)]
    assert reading.undecodable == 8


def test_a_picture_that_nobody_refers_to_takes_nobody_along() -> None:
    film = film_of("libx264")
    packets = [msgspec.structs.replace(p, disposable=p.id.seq == 7) for p in lossy(film, 7)]
    numbers, reading = shown(film.info, packets)
    assert numbers == [n for n in range(20) if n != 7]
    assert reading.undecodable == 1


def test_damage_that_only_the_decoder_sees_spreads_too() -> None:
    film = film_of("libx264")
    cut = [msgspec.structs.replace(p, data=p.data[: len(p.data) // 2]) if p.id.seq == 6 else p for p in film.packets]
    numbers, reading = shown(film.info, cut)
    assert numbers == [n for n in range(20) if n not in (6, 7, 8, 9)]
    assert (reading.decoded, reading.undecodable) == (16, 4)


def test_with_b_pictures_everything_up_to_the_keyframe_goes() -> None:
    film = film_of("libx264", b_frames=2)
    keys = [packet.id.seq for packet in film.packets if packet.keyframe]
    hit = keys[1] + 1
    numbers, reading = shown(film.info, lossy(film, hit))
    after = next(key for key in keys if key > hit)
    assert not set(numbers) & set(range(hit, after))
    assert set(range(after, 20)) <= set(numbers)
    assert reading.decoded + reading.undecodable + reading.skipped + reading.lost == 20


def test_images_stand_for_themselves_and_cut_ones_are_not_shown_half_grey() -> None:
    film = film_of("mjpeg")
    packets = [
        msgspec.structs.replace(p, data=p.data[: len(p.data) // 2]) if p.id.seq == 7 else p for p in lossy(film, 3)
    ]
    numbers, reading = shown(film.info, packets)
    assert numbers == [n for n in range(20) if n not in (3, 7)]
    assert (reading.decoded, reading.undecodable) == (18, 2)


def test_a_camera_that_never_writes_an_images_end_is_shown() -> None:
    film = film_of("mjpeg")
    packets = [msgspec.structs.replace(p, data=p.data[:-2]) for p in film.packets]
    numbers, _ = shown(film.info, packets)
    assert numbers == list(range(20))


def test_intact_mpeg4_is_not_called_damaged() -> None:
    """FFmpeg's decoders read beyond a packet's end: without padding there, what follows it in memory counts."""
    film = make_film("mpeg4", 200, gop=12, width_px=320, height_px=240)
    for _ in range(3):
        numbers, reading = shown(film.info, film.packets)
        assert (len(numbers), reading.undecodable) == (200, 0)
