"""Capture times against a simulated sender whose true instants are known to the nanosecond."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.contracts.specs import ClockTrust
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.sources.capture_time import RTCP_ERROR_NS, SENDER_DELAY_NS, UNSETTLED_ERROR_NS, CaptureClock

MS = 1_000_000
S = 1000 * MS
START = 1_000 * S
UTC_OFFSET = 1_700_000_000 * S


class Picture:
    """One picture of the simulated sender, with what the receiver stated about it."""

    def __init__(self, true_ns: int, pts_ns: int, arrives_ns: int) -> None:
        self.true_ns = true_ns
        self.pts_ns = pts_ns
        self.arrives_ns = arrives_ns
        self.received_ns = 0
        self.stated = CaptureTime(0, TimeBasis.ARRIVAL, 0)

    @property
    def error_ns(self) -> int:
        return self.stated.mono_ns - self.true_ns

    @property
    def honest(self) -> bool:
        return abs(self.error_ns) <= self.stated.error_ns


def pictures_at(
    fps: float,
    seconds: float,
    *,
    delay_ns: int = 5 * MS,
    ppm: int = 0,
    pattern: tuple[int, ...] = (0,),
    zero_ns: int = 7 * S,
) -> list[Picture]:
    """Decode order. `pattern` moves presentation against decode order, in pictures: (0,) is none."""
    interval_ns = round(S / fps)
    made = []
    for n in range(int(seconds * fps)):
        shown = n + pattern[n % len(pattern)]
        true_ns = START + shown * interval_ns
        encoded_ns = START + max(n, shown) * interval_ns
        pts_ns = zero_ns + (true_ns - START) * (1_000_000 + ppm) // 1_000_000
        made.append(Picture(true_ns, pts_ns, encoded_ns + delay_ns))
    return made


def receive(
    pictures: list[Picture],
    *,
    handed_out_by_next: bool = True,
    trust: ClockTrust = ClockTrust.ARRIVAL,
    sender_error_ns: int | None = None,
    clock: CaptureClock | None = None,
) -> CaptureClock:
    """Plays the pictures through the demuxer's behaviour and the estimator; drops the last, never handed out."""
    clock = clock or CaptureClock(handed_out_by_next=handed_out_by_next, interval_ns=40 * MS, trust=trust)
    latest = 0
    for index, picture in enumerate(pictures):
        if handed_out_by_next and index + 1 == len(pictures):
            pictures.pop()
            break
        latest = max(latest, pictures[index + 1].arrives_ns if handed_out_by_next else picture.arrives_ns)
        picture.received_ns = latest
        sender = None if sender_error_ns is None else picture.true_ns + UTC_OFFSET + sender_error_ns
        picture.stated = clock.stamp(picture.pts_ns, latest, sender_utc_ns=sender, utc_offset_ns=UTC_OFFSET)
    return clock


def after(pictures: list[Picture], seconds: float) -> list[Picture]:
    return [picture for picture in pictures if picture.received_ns > START + seconds * S]


ERRORS = {
    # name: (fps, pattern, delay, handed out by next, error after 2.5 s)
    "25 fps": (25, (0,), 5 * MS, True, 5 * MS),
    "5 fps: no 200 ms are lost": (5, (0,), 5 * MS, True, 5 * MS),
    "1 fps": (1, (0,), 5 * MS, True, 5 * MS),
    "two B-pictures: anchors count": (25, (0, 2, -1, -1), 5 * MS, True, 5 * MS),
    "mjpeg comes at once": (25, (0,), 5 * MS, False, 5 * MS),
    "no delay at all": (25, (0,), 0, True, 0),
    "a slow encoder, within the allowance": (25, (0,), 50 * MS, True, 50 * MS),
}


@pytest.mark.parametrize(("fps", "pattern", "delay_ns", "by_next", "expected_ns"), ERRORS.values(), ids=ERRORS.keys())
def test_error_of_a_steady_sender(
    fps: float, pattern: tuple[int, ...], delay_ns: int, by_next: bool, expected_ns: int
) -> None:
    pictures = pictures_at(fps, 12, delay_ns=delay_ns, pattern=pattern)
    clock = receive(pictures, handed_out_by_next=by_next)
    late = after(pictures, 6)
    assert len(late) >= 5
    assert {picture.error_ns for picture in late} == {expected_ns}
    assert {picture.stated.error_ns for picture in late} == {SENDER_DELAY_NS}
    assert clock.statistics().anchors == 1
    assert all(picture.honest for picture in pictures)


def test_the_claim_is_wide_until_the_filter_has_settled() -> None:
    pictures = pictures_at(25, 3)
    receive(pictures)
    claims = [picture.stated.error_ns for picture in pictures]
    narrow = next(index for index, claim in enumerate(claims) if claim < UNSETTLED_ERROR_NS)
    assert narrow == 26  # the first sample comes with the second picture, one second of 25 fps before
    assert set(claims[narrow:]) == {SENDER_DELAY_NS}


def test_a_cached_gop_is_dated_honestly_and_does_not_spoil_what_follows() -> None:
    pictures = pictures_at(25, 12, delay_ns=5 * MS)
    connect_ns = pictures[200].arrives_ns
    for n in range(200):
        pictures[n].arrives_ns = connect_ns + n * MS // 20
    for picture in pictures[200:]:
        picture.arrives_ns += 10 * MS
    clock = receive(pictures)
    assert all(picture.honest for picture in pictures)
    assert pictures[0].error_ns > 7 * S
    assert {picture.error_ns for picture in pictures[-25:]} == {15 * MS}
    assert pictures[-1].stated.error_ns < 60 * MS
    assert clock.statistics().anchors == 1


def test_a_jump_of_media_time_starts_a_new_anchor() -> None:
    pictures = pictures_at(25, 4)
    for picture in pictures[50:]:
        picture.pts_ns -= 3600 * S
    clock = receive(pictures)
    assert clock.statistics().anchors == 2
    assert pictures[49].stated.error_ns == SENDER_DELAY_NS
    assert pictures[50].stated.error_ns >= UNSETTLED_ERROR_NS
    assert {picture.error_ns for picture in pictures} <= {5 * MS, -40 * MS + 45 * MS}
    times = [picture.stated.mono_ns for picture in pictures]
    assert times == sorted(times)


def test_media_time_that_leaps_ahead_starts_a_new_anchor() -> None:
    pictures = pictures_at(25, 4)
    for picture in pictures[50:]:
        picture.pts_ns += 95_443 * S  # 33 bits of a 90 kHz clock
    assert receive(pictures).statistics().anchors == 2
    assert all(picture.error_ns == 5 * MS for picture in pictures)


def test_a_network_that_holds_pictures_back_does_not_make_them_look_fresh() -> None:
    pictures = pictures_at(25, 60)
    for picture in pictures[250:]:
        picture.arrives_ns += 2 * S
    clock = receive(pictures)
    assert clock.statistics().anchors == 1
    assert all(picture.honest for picture in pictures)
    # 50 s at the leak of 200 ppm: 10 ms, where a plain windowed minimum would be 2 s off after 10 s.
    assert pictures[-1].error_ns < 20 * MS
    assert pictures[-1].stated.error_ns > 1900 * MS


def test_rtcp_tells_a_sender_that_lost_time_from_a_network_that_is_late() -> None:
    pictures = pictures_at(25, 20)
    for picture in pictures[125:]:
        picture.true_ns += 700 * MS
        picture.arrives_ns += 700 * MS
    clock = receive(pictures, sender_error_ns=3600 * S)
    # The lag shows once both recent buckets lie after the step; the statement of RTCP has stepped by then.
    assert all(picture.honest for picture in pictures)
    assert clock.statistics().sender_ahead_ns is not None


def test_trusted_rtcp_dates_the_pictures() -> None:
    pictures = pictures_at(25, 3, delay_ns=40 * MS)
    clock = receive(pictures, trust=ClockTrust.RTCP, sender_error_ns=0)
    assert {picture.error_ns for picture in pictures[2:]} == {0}
    assert {picture.stated.basis for picture in pictures[2:]} == {TimeBasis.RTCP}
    assert pictures[-1].stated.error_ns == RTCP_ERROR_NS
    assert clock.statistics().rtcp_refused == 0


@pytest.mark.parametrize("sender_error_ns", [100 * MS, -40 * S, 3600 * S, -3600 * S])
def test_an_impossible_rtcp_date_is_refused_and_counted(sender_error_ns: int) -> None:
    pictures = pictures_at(25, 4, delay_ns=5 * MS)
    clock = receive(pictures, trust=ClockTrust.RTCP, sender_error_ns=sender_error_ns)
    assert clock.statistics().rtcp_refused == len(pictures) - 1
    assert {picture.stated.basis for picture in pictures} == {TimeBasis.ARRIVAL}
    assert {picture.error_ns for picture in pictures} == {5 * MS}


def test_an_untrusted_camera_clock_is_only_reported() -> None:
    pictures = pictures_at(25, 4, delay_ns=5 * MS)
    clock = receive(pictures, sender_error_ns=90 * S)
    assert {picture.error_ns for picture in pictures} == {5 * MS}
    assert clock.statistics().sender_ahead_ns == 90 * S - 5 * MS


def test_a_first_picture_without_pts_is_dated_by_its_arrival() -> None:
    clock = CaptureClock(handed_out_by_next=True, interval_ns=200 * MS)
    stated = clock.stamp(None, START)
    assert stated == CaptureTime(START - 200 * MS, TimeBasis.ARRIVAL, UNSETTLED_ERROR_NS)
    # The second picture began when the first was handed out: exact from here on.
    assert clock.stamp(5 * S, START + 200 * MS).mono_ns == START
    assert clock.statistics().without_pts == 1


def check_invariants(pictures: list[Picture]) -> None:
    for picture in pictures:
        assert picture.stated.mono_ns <= picture.received_ns
    shown = sorted(pictures, key=lambda picture: picture.pts_ns)
    times = [picture.stated.mono_ns for picture in shown]
    assert times == sorted(times)


jitters = st.lists(st.integers(0, 300 * MS), min_size=60, max_size=150)
patterns = st.sampled_from([(0,), (0, 1, -1), (0, 2, -1, -1), (0, 3, -1, -1, -1)])


@given(jitters, patterns, st.sampled_from([5, 12.5, 25]), st.booleans())
@settings(deadline=None, max_examples=80)
def test_never_backwards_nor_after_arrival(
    jitter: list[int], pattern: tuple[int, ...], fps: float, by_next: bool
) -> None:
    pictures = pictures_at(fps, len(jitter) / fps, pattern=pattern)
    for picture, late_ns in zip(pictures, jitter, strict=False):
        picture.arrives_ns += late_ns
    receive(pictures, handed_out_by_next=by_next)
    check_invariants(pictures)


@given(st.integers(-100, 100), patterns, st.sampled_from([5, 25]))
@settings(deadline=None, max_examples=20)
def test_drift_is_followed(ppm: int, pattern: tuple[int, ...], fps: float) -> None:
    pictures = pictures_at(fps, 120, ppm=ppm, pattern=pattern)
    receive(pictures)
    check_invariants(pictures)
    assert all(picture.honest for picture in pictures)
    # 100 ppm over a window of ten seconds is one millisecond.
    assert all(abs(picture.error_ns - 5 * MS) <= 3 * MS // 2 for picture in after(pictures, 10))


@given(jitters, patterns)
@settings(deadline=None, max_examples=80)
def test_jitter_within_the_allowance_stays_within_the_claim(jitter: list[int], pattern: tuple[int, ...]) -> None:
    pictures = pictures_at(25, len(jitter) / 25, delay_ns=0, pattern=pattern)
    for picture, late_ns in zip(pictures, jitter, strict=False):
        picture.arrives_ns += late_ns * SENDER_DELAY_NS // (300 * MS)
    receive(pictures)
    assert all(picture.honest for picture in pictures)


@given(st.integers(0, 2**32), st.integers(50, 400))
@settings(deadline=None, max_examples=40)
def test_random_jitter_above_the_allowance_stays_within_the_claim(seed: int, most_ms: int) -> None:
    draw = random.Random(seed)
    pictures = pictures_at(25, 30, delay_ns=3 * MS)
    for picture in pictures:
        picture.arrives_ns += round(draw.random() ** 2 * most_ms * MS)
    receive(pictures)
    check_invariants(pictures)
    assert all(picture.honest for picture in after(pictures, 3))
    assert after(pictures, 20)[0].error_ns < SENDER_DELAY_NS
