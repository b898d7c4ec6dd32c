"""Cores that are shared, on exact numbers."""

import pytest

from penstock.testkit.processor import Processor

S = 1_000_000_000


def test_full_speed_while_the_cores_suffice() -> None:
    processor = Processor(2.0, 0.0)
    assert not processor.set_steady(1.0, 0)
    assert not processor.add_call(1.0, 0)
    assert processor.speed == 1.0
    assert processor.add_call(1.0, S)
    assert processor.speed == pytest.approx(2 / 3)
    assert processor.add_call(-1.0, 3 * S)
    assert processor.speed == 1.0
    processor.set_steady(0.0, 4 * S)
    assert processor.used_ns == 8 * S


def test_decoding_that_does_not_fit_is_told() -> None:
    processor = Processor(1.0, 0.0)
    processor.set_steady(1.5, 0)
    processor.set_steady(0.5, 2 * S)
    processor.set_steady(0.5, 3 * S)
    assert processor.decode_short_ns == 2 * S


def test_how_much_longer_work_took_on_average() -> None:
    processor = Processor(2.0, 0.0)
    processor.set_steady(1.0, 0)
    processor.add_call(3.0, S)
    assert processor.stretched(2 * S) == pytest.approx(0.25)  # 1 core and then 4 of 2
    processor.add_call(-3.0, 2 * S)
    assert processor.stretched(3 * S) == 0.0


def test_calls_slow_each_other_beside_the_cores() -> None:
    processor = Processor(8.0, 0.1)
    assert [processor.stretch(others) for others in (0, 1, 3)] == pytest.approx([1.0, 1.1, 1.3])
