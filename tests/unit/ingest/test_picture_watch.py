"""A stream that sends but shows nothing is told of once, by what it lacks."""

import pytest

from penstock.ingest.picture_watch import PATIENCE_NS, PictureWatch

S = 1_000_000_000
K, P, SHOWN = "keyframe", "picture that refers to others", "picture was shown"


@pytest.mark.parametrize(
    ("units", "told"),
    [
        pytest.param([(s, P) for s in range(10)], {}, id="patience"),
        pytest.param([(s, P) for s in range(30)], {10: "no keyframe for 10 s"}, id="no keyframe: once"),
        pytest.param([(s, K) for s in range(30)], {10: "no picture could be decoded for 10 s"}, id="all damaged"),
        pytest.param([(s, SHOWN) for s in range(30)], {}, id="seen"),
        pytest.param(
            [(0, SHOWN), *((s, P) for s in range(1, 15)), (15, SHOWN), *((s, K) for s in range(16, 30))],
            {10: "no keyframe for 10 s", 25: "no picture could be decoded for 10 s"},
            id="each stretch anew",
        ),
    ],
)
def test_what_is_told(units: list[tuple[int, str]], told: dict[int, str]) -> None:
    watch = PictureWatch(0)
    found = {}
    for at_s, unit in units:
        if unit == SHOWN:
            watch.picture(at_s * S)
        if said := watch.unit(at_s * S, keyframe=unit == K):
            found[at_s] = said
            assert watch.blind
    assert found.keys() == told.keys()
    assert all(part in found[at_s] for at_s, part in told.items())
    assert PATIENCE_NS == 10 * S


def test_a_picture_ends_the_blindness() -> None:
    watch = PictureWatch(0)
    assert watch.unit(PATIENCE_NS, keyframe=False)
    watch.picture(PATIENCE_NS + 1)
    assert not watch.blind


PASSED = "passed over"


@pytest.mark.parametrize(
    ("units", "told"),
    [
        pytest.param([(0, K), *((s, PASSED) for s in range(1, 40))], [], id="one keyframe, then nothing asked for"),
        pytest.param([(s, PASSED) for s in range(40)], [10], id="no keyframe to ask for"),
        pytest.param([(s, PASSED if s % 5 else K) for s in range(40)], [14], id="keyframes that give no picture"),
        pytest.param([(0, K), *((s, PASSED) for s in range(1, 20)), *((s, P) for s in range(20, 40))], [29], id="then"),
    ],
)
def test_what_the_policy_passes_over_is_no_blindness(units: list[tuple[int, str]], told: list[int]) -> None:
    watch = PictureWatch(0)
    found = []
    for at_s, unit in units:
        innocent = unit == PASSED and watch.passed_over(at_s * S, keyframe=False)
        if not innocent and watch.unit(at_s * S, keyframe=unit == K):
            found.append(at_s)
    assert found == told
