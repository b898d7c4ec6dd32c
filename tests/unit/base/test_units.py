"""Durations and sizes, as people write them and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.base.units import format_duration, format_size, parse_duration_ns, parse_size_bytes

S = 10**9


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("250ms", 250_000_000),
        ("30s", 30 * S),
        ("1m30s", 90 * S),
        ("1h 30m", 5400 * S),
        (" 2 h ", 7200 * S),
        ("1.5s", 1_500_000_000),
        ("0.25 MS", 250_000),
        ("7us", 7_000),
        ("7µs", 7_000),
        ("1d", 86_400 * S),
        ("0s", 0),
    ],
)
def test_durations_are_read(text: str, ns: int) -> None:
    assert parse_duration_ns(text) == ns


@pytest.mark.parametrize("text", ["", "5", "s", "-5s", "5 parsecs", "1.2.3s", "1e3s", "5s!", "5s, 3ms", "1s x 2s"])
def test_what_is_no_duration_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 250ms, 30s, 1m30s or 2h"):
        parse_duration_ns(text)


@pytest.mark.parametrize("text", ["200000d", f"{'9' * 400}h", f"1h {'9' * 5000}s"])
def test_durations_that_no_record_holds_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is too large for a duration"):
        parse_duration_ns(text)


def test_sizes_that_no_record_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="is too large for a size"):
        parse_size_bytes("9999999999TiB")


@pytest.mark.parametrize(
    ("text", "size"),
    [("64MiB", 64 << 20), ("2GB", 2 * 10**9), ("512 kB", 512_000), ("1.5 KiB", 1536), ("7b", 7), ("1TiB", 1 << 40)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "5", "64 Mb/s", "MB", "-1MB"])
def test_what_is_no_size_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 512kB, 64MiB or 2GB"):
        parse_size_bytes(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 µs"),
        (1_500, "1.5 µs"),
        (250_000_000, "250 ms"),
        (1_500_000_000, "1.5 s"),
        (59_990_000_000, "59.99 s"),
        (60 * S, "1 m"),
        (125 * S, "2 m 5 s"),
        (3600 * S, "1 h"),
        (90_061 * S, "25 h 1 m 1 s"),
        (-90 * S, "-1 m 30 s"),
        (-250_000_000, "-250 ms"),
    ],
)
def test_durations_are_shown(ns: int, text: str) -> None:
    assert format_duration(ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3_355_443, "3.2 MiB"), (5 << 40, "5 TiB"), (-2048, "-2 KiB")],
)
def test_sizes_are_shown(size: int, text: str) -> None:
    assert format_size(size) == text


@given(ns=st.integers(0, 10**17))
def test_what_is_shown_is_read_again(ns: int) -> None:
    assert parse_duration_ns(format_duration(ns)) == pytest.approx(ns, rel=0.05, abs=1)


@given(parts=st.lists(st.tuples(st.integers(0, 999), st.sampled_from(["ms", "s", "m", "h"])), min_size=1, max_size=3))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    text = " ".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration_ns(text) == sum(parse_duration_ns(f"{number} {unit}") for number, unit in parts)
