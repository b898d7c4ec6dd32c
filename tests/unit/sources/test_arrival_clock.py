"""Pictures dated by arrival: on time, held up, and crowding after."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.contracts.times import TimeBasis
from penstock.sources.arrival_clock import UNSETTLED_ERROR_NS, ArrivalClock
from penstock.sources.capture_time import SENDER_DELAY_NS

MS = 1_000_000


def test_an_even_rhythm_claims_only_what_cannot_be_seen() -> None:
    clock = ArrivalClock()
    claims = [clock.stamp(n * 40 * MS) for n in range(1, 40)]
    assert [claim.mono_ns for claim in claims] == [n * 40 * MS for n in range(1, 40)]
    assert [claim.error_ns for claim in claims[:3]] == [UNSETTLED_ERROR_NS] * 3
    assert {claim.error_ns for claim in claims[3:]} == {SENDER_DELAY_NS}
    assert {claim.basis for claim in claims} == {TimeBasis.ARRIVAL}


def test_what_was_held_up_says_so_and_so_does_what_crowds_after_it() -> None:
    clock = ArrivalClock()
    for n in range(20):
        clock.stamp(n * 40 * MS)
    # The network holds five pictures for up to 200 ms, then all come at once.
    held = [clock.stamp(24 * 40 * MS).error_ns - SENDER_DELAY_NS for _ in range(5)]
    assert held == [160 * MS, 120 * MS, 80 * MS, 40 * MS, 0]


@given(st.lists(st.integers(-50, 2000), min_size=1, max_size=80))
def test_never_backwards_and_never_sure_of_more_than_can_be(gaps_ms: list[int]) -> None:
    clock, now_ns, last_ns = ArrivalClock(), 10**9, 0
    for gap in gaps_ms:
        now_ns += gap * MS
        claim = clock.stamp(now_ns)
        assert claim.mono_ns >= max(last_ns, now_ns)
        assert claim.error_ns >= SENDER_DELAY_NS
        last_ns = claim.mono_ns
