"""Decoders of one process share nothing: each gives out every picture of its own stream, in whatever order they run."""

from penstock.contracts.fates import UnitFate
from penstock.framebus.counters import CounterBlock
from penstock.ingest.books import WORDS, UnitBooks, Word
from penstock.ingest.decoder import Decoder
from penstock.testkit.film import make_film

FRAMES = 40


def test_streams_whose_units_have_the_same_numbers_lose_no_picture() -> None:
    films = [make_film(frames=FRAMES, b_frames=2, camera=name) for name in ("yard", "gate", "porch")]
    counters = [CounterBlock(memoryview(bytearray(WORDS * 8)), WORDS) for _ in films]
    decoders = [Decoder(film.info, UnitBooks(block)).open() for film, block in zip(films, counters, strict=True)]
    shown: list[list[int]] = [[] for _ in films]
    for units in zip(*(film.packets for film in films), strict=True):
        for n, unit in enumerate(units):
            counters[n].add(Word.RECEIVED)
            shown[n] += [packet.id.seq for packet, _ in decoders[n].decode(unit)]
    for n, decoder in enumerate(decoders):
        shown[n] += [packet.id.seq for packet, _ in decoder.flush()]
        decoder.close()
    assert [sorted(numbers) for numbers in shown] == [list(range(FRAMES))] * len(films)
    for block in counters:
        assert [block[fate] for fate in UnitFate] == [FRAMES, 0, 0, 0]
