"""What counts as found, missed, false or borderline, in seconds that can be checked by hand."""

import pytest

from penstock.simulator.scoring import Hold, Score, SeenEvent, TrueEvent, score, summary, true_events, unrolled

S = 1_000_000_000


def holds(*times: tuple[float, float]) -> list[Hold]:
    return [Hold(round(start * S), round(end * S)) for start, end in times]


def ought(*times: tuple[float, float], for_s: float = 3.0, cooldown_s: float = 1.0) -> list[TrueEvent]:
    return true_events(
        "yard", "waits", holds(*times), for_ns=round(for_s * S), cooldown_ns=round(cooldown_s * S), margin_ns=S // 2
    )


def seen(start: float, decided: float, name: str = "e", camera: str = "yard", rule: str = "waits") -> SeenEvent:
    return SeenEvent(name, camera, rule, round(start * S), round(decided * S))


def judged(expected: list[TrueEvent], *events: SeenEvent) -> Score:
    return score(expected, events, margin_ns=S // 2)


def test_a_loop_comes_again_and_is_cut_at_the_window() -> None:
    found = unrolled([(2.0, 4.0, True)], epoch_ns=100 * S, loop_ns=10 * S, from_ns=103 * S, to_ns=123 * S)
    assert found == holds((103, 104), (112, 114), (122, 123))


def test_what_goes_on_over_the_end_of_a_loop_is_one() -> None:
    found = unrolled([(0.0, 1.0, True), (8.0, 10.0, False)], epoch_ns=0, loop_ns=10 * S, from_ns=2 * S, to_ns=25 * S)
    assert found == [Hold(8 * S, 11 * S, False), Hold(18 * S, 21 * S, False)]


def test_nothing_is_expected_before_the_first_loop() -> None:
    assert unrolled([(0.0, 1.0, True)], epoch_ns=50 * S, loop_ns=10 * S, from_ns=0, to_ns=49 * S) == []


@pytest.mark.parametrize(
    ("name", "time", "found"),
    [
        ("clearly long", (10, 20), [(10, 13, 20, False)]),
        ("clearly short", (10, 12.4), []),
        ("a little too short", (10, 12.6), [(10, 13, 12.6, True)]),
        ("a little longer", (10, 13.4), [(10, 13, 13.4, True)]),
    ],
)
def test_how_long_is_long_enough(name: str, time: tuple[float, float], found: list[tuple[float, ...]]) -> None:
    assert [(e.start_ns / S, e.due_ns / S, e.end_ns / S, e.borderline) for e in ought(time)] == found, name


def test_a_short_pause_may_make_one_event_or_two() -> None:
    (event,) = ought((10, 15), (15.4, 20))
    assert (event.start_ns, event.end_ns, event.borderline, event.may_repeat) == (10 * S, 20 * S, False, True)
    assert judged([event], seen(10, 13), seen(15.4, 18.4)).precision == 1.0


def test_what_begins_in_the_cooldown_is_borderline() -> None:
    assert [event.borderline for event in ought((10, 15), (16.2, 22), (30, 35))] == [False, True, False]


def test_every_event_found_once() -> None:
    result = judged(ought((10, 20), (30, 40)), seen(10.1, 13.2), seen(30.2, 33.4))
    assert (result.expected, result.found, result.missed, result.false) == (2, 2, (), ())
    assert (result.precision, result.recall) == (1.0, 1.0)
    assert result.delays_ns == (200_000_000, 400_000_000)
    assert summary(result)["delay_ms"] == {"p50": 300.0, "max": 400.0}
    assert summary(result)["start_error_ms"] == {"p50": 150.0, "max": 200.0}


def test_a_second_event_of_one_situation_is_false() -> None:
    result = judged(ought((10, 20)), seen(10, 13), seen(15, 18, "again"))
    assert [event.event_id for event in result.false] == ["again"]
    assert (result.precision, result.recall) == (0.5, 1.0)


def test_missed_and_invented() -> None:
    result = judged(ought((10, 20), (30, 40)), seen(10, 13), seen(25, 28, "invented"))
    assert [event.start_ns for event in result.missed] == [30 * S]
    assert [event.event_id for event in result.false] == ["invented"]
    assert (result.precision, result.recall) == (0.5, 0.5)


@pytest.mark.parametrize(("camera", "rule"), [("street", "waits"), ("yard", "queues")])
def test_another_camera_or_rule_does_not_count(camera: str, rule: str) -> None:
    result = judged(ought((10, 20)), seen(10, 13, camera=camera, rule=rule))
    assert (result.found, len(result.missed), len(result.false)) == (0, 1, 1)


@pytest.mark.parametrize("events", [(), (seen(10.2, 13.2),)])
def test_borderline_counts_neither_way(events: tuple[SeenEvent, ...]) -> None:
    result = judged(ought((10, 13.2)), *events)
    assert (result.expected, result.found, result.missed, result.false, result.borderline) == (0, 0, (), (), 1)
    assert (result.precision, result.recall) == (1.0, 1.0)
    assert summary(result)["delay_ms"] is None
