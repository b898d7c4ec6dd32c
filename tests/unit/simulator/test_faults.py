"""How faults are written, when they hold, and what is said of those that cannot be read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.faults import Fault, FaultKind, FaultSyntaxError, next_change_ns, parse_fault

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("yard:stall@10s+5s", Fault("yard", FaultKind.STALL, 10 * S, 5 * S)),
        ("yard:down@1m", Fault("yard", FaultKind.DOWN, 60 * S)),
        ("car_park:loss=1%", Fault("car_park", FaultKind.LOSS, share=0.01)),
        ("a-1:corrupt=0.5%@2s+500ms", Fault("a-1", FaultKind.CORRUPT, 2 * S, S // 2, share=0.005)),
        ("yard:codec=hevc@30s", Fault("yard", FaultKind.CODEC, 30 * S, codec="hevc")),
        ("yard:size=320x240@30s+10s", Fault("yard", FaultKind.SIZE, 30 * S, 10 * S, size_px=(320, 240))),
    ],
)
def test_what_is_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stall@10s", "is not a fault; write NAME:KIND"),
        ("yard:sleep@10s", "there is no fault 'sleep'; known: stall, down"),
        ("yard:stall=3@10s", "stall takes no value"),
        ("yard:loss", "loss needs a value, such as loss=1%"),
        ("yard:loss=200%", "'200%' is not a share; write loss=1%"),
        ("yard:loss=little", "'little' is not a share"),
        ("yard:codec=vp9", "there is no codec 'vp9'; known: h264"),
        ("yard:size=321x240", "is not a size with even sides; write size=320x240"),
        ("yard:stall@soon", "write NAME:KIND"),
    ],
)
def test_what_cannot_be_read(text: str, told: str) -> None:
    with pytest.raises(FaultSyntaxError) as raised:
        parse_fault(text)
    assert told in str(raised.value)


def test_when_it_holds() -> None:
    fault = parse_fault("yard:stall@10s+5s")
    assert [fault.holds(round(at * S)) for at in (0, 9.9, 10, 14.9, 15)] == [False, False, True, True, False]
    assert parse_fault("yard:down").holds(0)


def test_when_something_changes_next() -> None:
    faults = [parse_fault(text) for text in ("yard:stall@10s+5s", "yard:down@12s", "yard:loss=1%")]
    assert [next_change_ns(faults, at * S) for at in (0, 10, 12, 15)] == [10 * S, 12 * S, 15 * S, None]


@given(st.text(max_size=40))
def test_any_text_is_a_fault_or_named_in_the_message(text: str) -> None:
    told = repr(text)
    try:
        parse_fault(text)
    except FaultSyntaxError as error:
        told = str(error)
    assert repr(text) in told
