"""What each policy asks for, unit by unit; when `auto` wakes and rests; a second's keyframe where all are keyframes."""

import pytest

from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.specs import DecodePolicy
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.ingest.decode_choice import DecodeChoice

MS = 1_000_000
KEY = StreamKey("h", "b", "r", "door", Role.DETECT, 1)
QUIET_NS = 5_000 * MS


def unit(kind: str, at_ms: int) -> EncodedPacket:
    """K a keyframe, P one that others refer to, b one that none does."""
    capture = CaptureTime(at_ms * MS, TimeBasis.ARRIVAL, 0)
    return EncodedPacket(
        FrameId(KEY, at_ms), 0, b"x", kind == "K", at_ms * 90, at_ms * 90, 0, at_ms * MS, capture, kind == "b"
    )


def choice(policy: DecodePolicy) -> DecodeChoice:
    made = DecodeChoice(policy, QUIET_NS)
    made.begin_session()
    return made


@pytest.mark.parametrize(
    ("policy", "wanted", "sparse"),
    [
        (DecodePolicy.ALL, "KPbPbKPb", False),
        (DecodePolicy.NONREF, "KP_P_KP_", False),
        (DecodePolicy.AUTO, "K____K__", True),
        (DecodePolicy.KEYFRAMES, "K____K__", True),
        (DecodePolicy.NONE, "________", True),
    ],
)
def test_what_a_policy_asks_for(policy: DecodePolicy, wanted: str, sparse: bool) -> None:
    made = choice(policy)
    found = "".join(kind if made.wants(unit(kind, 40 * n)) else "_" for n, kind in enumerate("KPbPbKPb"))
    assert (found, made.sparse) == (wanted, sparse)


@pytest.mark.parametrize("interval_ms", [40, 33, 333, 1500])
def test_one_keyframe_a_second_stands_for_a_stream_of_nothing_else(interval_ms: int) -> None:
    made = choice(DecodePolicy.KEYFRAMES)
    times_ms = range(0, 30_500, interval_ms)
    taken = [at_ms for at_ms in times_ms if made.wants(unit("K", at_ms))]
    assert len(taken) == (31 if interval_ms <= 1000 else len(times_ms))
    assert all(at_ms % 1000 < interval_ms for at_ms in taken) or interval_ms > 1000


def test_keyframes_with_others_between_them_are_all_taken() -> None:
    """Two a second are what the camera was set to; and a rate begins only when nothing else comes."""
    made = choice(DecodePolicy.KEYFRAMES)
    assert [made.wants(unit(kind, 250 * n)) for n, kind in enumerate("KPKPKKKKKP")] == [
        *(True, False, True, False, True),
        *(False, False, False, True, False),
    ]


def test_auto_wakes_at_movement_and_rests_at_the_first_keyframe_after_the_quiet_interval() -> None:
    made = choice(DecodePolicy.AUTO)
    wanted = []
    for at_ms in range(0, 16_000, 500):
        kind = "K" if at_ms % 2_000 == 0 else "P"
        if not made.wants(unit(kind, at_ms)):
            continue
        wanted.append(at_ms)
        made.seen(moved=at_ms in (2_000, 2_500, 3_500), capture_ns=at_ms * MS)
    # Still since 3.5 s, so quiet at 8.5 s; the next keyframe comes at 10 s.
    assert wanted == [0, *range(2_000, 10_001, 500), 12_000, 14_000]
    made.wants(unit("K", 16_000))
    assert made.sparse


def test_a_session_begins_without_what_the_one_before_it_saw() -> None:
    made = choice(DecodePolicy.AUTO)
    made.wants(unit("K", 0))
    made.seen(moved=True, capture_ns=0)
    assert made.wants(unit("P", 40))
    made.begin_session()
    assert not made.wants(unit("P", 80))
    assert made.wants(unit("K", 120)), "no keyframe stands for it yet"


def test_a_policy_holds_from_the_next_unit_on() -> None:
    made = choice(DecodePolicy.ALL)
    found = []
    for n, policy in enumerate([DecodePolicy.NONE, DecodePolicy.ALL, DecodePolicy.KEYFRAMES, DecodePolicy.NONREF]):
        made.policy = policy
        found.append(made.wants(unit("P", 40 * n)))
    assert found == [False, True, False, True]
