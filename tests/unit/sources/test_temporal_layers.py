"""What may be left out of a stream whose pictures lie in temporal layers."""

import pytest

from penstock.sources.temporal_layers import TemporalLayers

TRAIL_N, TRAIL_R, IDR = 0, 1, 19


def picture(kind: int, layer: int = 0) -> bytes:
    return b"\x00\x00\x01" + bytes([kind << 1, layer + 1, 0x80, 0x11])


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        pytest.param([(IDR, 0), (TRAIL_N, 0), (TRAIL_R, 0), (TRAIL_N, 0)], [False, True, False, True], id="one layer"),
        pytest.param(
            [(IDR, 0), (TRAIL_N, 1), (TRAIL_N, 0), (TRAIL_N, 2), (TRAIL_N, 1), (TRAIL_R, 2), (TRAIL_N, 2)],
            [False, True, False, True, False, False, True],
            id="three layers: the lower ones may be referred to by the higher",
        ),
    ],
)
def test_only_the_highest_layer_is_disposable(pictures: list[tuple[int, int]], expected: list[bool]) -> None:
    layers = TemporalLayers()
    assert [layers.is_disposable("hevc", picture(*one)) for one in pictures] == expected


def test_other_codecs_have_no_layers() -> None:
    layers = TemporalLayers()
    assert layers.is_disposable("h264", b"\x00\x00\x01\x01\x88")
    assert not layers.is_disposable("h264", b"\x00\x00\x01\x61\x88")
    assert not layers.is_disposable("mjpeg", b"\xff\xd8")
    assert not layers.is_disposable("hevc", b"")
