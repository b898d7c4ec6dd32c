"""What rules ought to find, counted from true boxes: exact spans, doubts named, and drawn scenes clear of doubt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.scene import Scene, SceneSpec
from penstock.simulator.situations import Doubt, TrueEvent, holds, true_events
from penstock.simulator.truth import SceneTruth, TrueBox

FPS, SECONDS = 10, 20.0
SPEC = SceneSpec("yard", 1, width_px=100, height_px=100, fps=FPS, seconds=SECONDS)
ZONE = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
Stay = tuple[int, float, float, float, float]
"""figure, from and to seconds, where across, visible share"""


def a_truth(*stays: Stay, label: str = "person") -> SceneTruth:
    frames = []
    for index in range(int(FPS * SECONDS)):
        at_s = index / FPS
        frames.append(
            tuple(
                TrueBox(figure, label, (x - 5.0, 30.0, x + 5.0, 50.0), visible, False)
                for figure, start_s, end_s, x, visible in stays
                if start_s <= at_s < end_s or start_s <= at_s + SECONDS < end_s
            )
        )
    return SceneTruth(SPEC, {"gate": ZONE}, (), tuple(frames))


def found(truth: SceneTruth, at_least: int = 1, for_s: float = 3.0) -> list[tuple[float, float, float, bool]]:
    events = true_events(truth, "gate", "person", at_least, for_s)
    return [(event.start_s, event.due_s, event.end_s, event.borderline) for event in events]


@pytest.mark.parametrize(
    ("stays", "at_least", "expected"),
    [
        pytest.param([(1, 2.0, 9.0, 50, 1.0)], 1, [(2.0, 5.0, 9.0, False)], id="one who stays"),
        pytest.param([(1, 2.0, 3.5, 50, 1.0)], 1, [], id="one who passes"),
        pytest.param([(1, 2.0, 5.5, 50, 1.0)], 1, [(2.0, 5.0, 5.5, True)], id="hardly long enough"),
        pytest.param([(1, 2.0, 4.5, 50, 1.0)], 1, [(2.0, 5.0, 4.5, True)], id="hardly too short"),
        pytest.param([(1, 2.0, 9.0, 50, 0.3)], 1, [(2.0, 5.0, 9.0, True)], id="hardly visible"),
        pytest.param([(1, 2.0, 9.0, 50, 0.1)], 1, [], id="not visible"),
        pytest.param([(1, 2.0, 9.0, 18, 1.0)], 1, [(2.0, 5.0, 9.0, True)], id="just outside"),
        pytest.param([(1, 2.0, 9.0, 10, 1.0)], 1, [], id="outside"),
        pytest.param([(1, 2.0, 9.0, 50, 1.0), (2, 3.0, 9.5, 60, 1.0)], 2, [(3.0, 6.0, 9.0, False)], id="two"),
        pytest.param([(1, 2.0, 9.0, 50, 1.0)], 2, [], id="one of two"),
        pytest.param([(1, 18.0, 24.0, 50, 1.0)], 1, [(18.0, 21.0, 24.0, False)], id="across the loop's end"),
        pytest.param(
            [(1, 2.0, 7.0, 50, 1.0), (1, 7.4, 13.0, 50, 1.0)], 1, [(2.0, 5.0, 13.0, True)], id="one or two events"
        ),
        pytest.param(
            [(1, 2.0, 3.0, 50, 1.0), (1, 3.4, 13.0, 50, 1.0)], 1, [(2.0, 5.0, 13.0, False)], id="a false start"
        ),
        pytest.param(
            [(1, 2.0, 7.0, 50, 1.0), (2, 9.0, 14.0, 50, 1.0)],
            1,
            [(2.0, 5.0, 7.0, False), (9.0, 12.0, 14.0, False)],
            id="two events",
        ),
        pytest.param([(1, 0.0, 20.0, 50, 1.0)], 1, [(0.0, 3.0, 20.0, False)], id="always"),
    ],
)
def test_events(stays: list[Stay], at_least: int, expected: list[tuple[float, float, float, bool]]) -> None:
    assert found(a_truth(*stays), at_least) == expected


def test_labels_and_zones_are_told_apart() -> None:
    truth = a_truth((1, 2.0, 9.0, 50, 1.0), label="vehicle")
    assert found(truth) == []
    assert true_events(truth, None, "vehicle", 1, 3.0) == [TrueEvent(2.0, 5.0, 9.0, 7.0, False)]
    assert holds(truth, "gate", "vehicle", 1) == [(2.0, 9.0, True)]
    assert holds(a_truth((1, 2.0, 9.0, 50, 0.3)), "gate", "person", 1) == [(2.0, 9.0, False)]
    with pytest.raises(KeyError):
        true_events(truth, "door", "vehicle", 1, 3.0)


@given(st.lists(st.tuples(st.integers(0, 199), st.integers(1, 150)), max_size=6), st.integers(1, 3))
def test_without_doubt_spans_are_those_of_a_count_by_picture(stays: list[tuple[int, int]], at_least: int) -> None:
    truth = a_truth(*[(n, s / FPS, (s + lasts) / FPS, 50.0, 1.0) for n, (s, lasts) in enumerate(stays)])
    enough = {i for i, boxes in enumerate(truth.frames) if len(boxes) >= at_least}
    events = true_events(truth, "gate", "person", at_least, 0.0, Doubt(margin_s=0.0))
    covered = [round(i) % 200 for e in events for i in range(round(e.start_s * FPS), round(e.end_s * FPS))]
    assert sorted(covered) == sorted(enough)
    assert not any(event.borderline for event in events)


RULES = {
    "street": ("kerb", "vehicle", 1),
    "yard": ("gate", "person", 1),
    "corridor": ("door", "person", 2),
    "car_park": ("bays", "vehicle", 1),
}


@pytest.mark.parametrize(("setting", "rule"), RULES.items())
def test_drawn_scenes_have_clear_events(setting: str, rule: tuple[str, str, int]) -> None:
    """In nearly every loop two events beyond doubt; who passes is gone within 1.6 s, who stays stays for 5 s."""
    clear, doubtful = 0, 0
    for seed in range(6):
        scene = Scene(SceneSpec(setting, seed, fps=10))
        frames = tuple(scene.truth(index) for index in range(scene.frames))
        truth = SceneTruth(scene.spec, scene.zones, scene.situations, frames)
        events = true_events(truth, *rule, 3.0)
        clear += sum(not event.borderline for event in events)
        doubtful += sum(event.borderline for event in events)
        assert all(
            lasts < 1.6 or lasts > 5.0 for lasts in (end_s - start_s for start_s, end_s, _ in holds(truth, *rule))
        )
    assert clear >= 11
    assert doubtful <= 1
