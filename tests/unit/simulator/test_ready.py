"""What a simulation says of its cameras: read back as it was written, and good for telling when a picture was taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.ready import Ready, ReadyCamera, decode_ready, encode_ready

S = 1_000_000_000
CAMERA = ReadyCamera("yard", "rtsp://h:1/yard", epoch_ns=100 * S, epoch_utc_ns=5, loop_ns=10 * S)


def test_one_line_that_is_read_back_as_it_was() -> None:
    ready = Ready(
        (CAMERA, ReadyCamera("street", "rtsp://h:1/street", "rtsp://h:1/street/sub", "/films/street.truth.json"))
    )
    line = encode_ready(ready)
    assert "\n" not in line
    assert decode_ready(line) == decode_ready(line.encode() + b"\n") == ready


@pytest.mark.parametrize("line", ["", "Traceback (most recent call last):", "[]", '{"cameras": [{"name": 3}]}'])
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever the decoder says
        decode_ready(line)


SCENARIOS = {
    "in the first loop": (25, 102, 101),
    "the very instant": (25, 101, 101),
    "in the third loop": (25, 129, 121),
    "late in a loop, just before its next turn": (249, 119, 109.96),
    "the first picture": (0, 110, 110),
    "before the epoch, by a phase": (0, 95, 90),
}


@pytest.mark.parametrize(("picture", "before_s", "captured_s"), SCENARIOS.values(), ids=SCENARIOS)
def test_when_a_picture_was_captured_last(picture: int, before_s: float, captured_s: float) -> None:
    assert CAMERA.captured_ns(picture, 25, round(before_s * S)) == round(captured_s * S)


@given(st.integers(0, 249), st.integers(0, 10**6), st.integers(0, 10 * S - 1))
def test_a_picture_seen_within_a_loop_of_its_capture_is_dated_exactly(picture: int, loop: int, age_ns: int) -> None:
    captured_ns = CAMERA.epoch_ns + loop * CAMERA.loop_ns + picture * S // 25
    assert CAMERA.captured_ns(picture, 25, captured_ns + age_ns) == captured_ns
