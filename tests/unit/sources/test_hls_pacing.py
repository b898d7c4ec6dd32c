"""When the pictures of a live playlist are handed out: bursts, starvation, jumps."""

from penstock.sources.hls import HlsPacing

MS = 1_000_000
S = 1_000 * MS


def test_a_burst_is_spread_over_its_own_time() -> None:
    pacing = HlsPacing()
    paces = [pacing.place(n * 40 * MS, n * 40 * MS, 5 * S) for n in range(50)]
    assert [pace.due_ns for pace in paces] == [5 * S + n * 40 * MS for n in range(50)]
    assert all(pace.captured_ns == pace.due_ns for pace in paces)
    assert (pacing.starved, pacing.jumps) == (0, 0)


def test_a_late_segment_moves_the_anchor_once_and_by_as_much() -> None:
    pacing = HlsPacing()
    pacing.place(0, 0, 10 * S)
    late = pacing.place(1 * S, 1 * S, 10 * S + 4 * S)
    following = pacing.place(1 * S + 40 * MS, 1 * S + 40 * MS, 10 * S + 4 * S)
    assert (late.due_ns, following.due_ns) == (14 * S, 14 * S + 40 * MS)
    assert (pacing.starved, pacing.behind_ns) == (1, 3 * S)


def test_a_little_late_moves_nothing() -> None:
    pacing = HlsPacing()
    pacing.place(0, 0, 10 * S)
    pace = pacing.place(1 * S, 1 * S, 10 * S + 1400 * MS)
    assert (pace.due_ns, pacing.starved) == (11 * S, 0)


def test_a_jump_starts_anew_at_once_and_forgives_the_delay() -> None:
    for media_ns in (100 * S, -100 * S):
        pacing = HlsPacing()
        pacing.place(0, 0, 10 * S)
        pacing.place(1 * S, 1 * S, 14 * S)
        pace = pacing.place(media_ns, media_ns, 15 * S)
        assert (pace.due_ns, pacing.jumps, pacing.behind_ns) == (15 * S, 1, 0)


def test_b_pictures_are_handed_out_in_decode_order_and_dated_as_shown() -> None:
    pacing = HlsPacing()
    decoded = [0, 40, 80, 120, 160]
    shown = [80, 200, 120, 160, 320]
    paces = [pacing.place(d * MS, s * MS, 0) for d, s in zip(decoded, shown, strict=True)]
    assert [pace.due_ns for pace in paces] == [d * MS for d in decoded]
    # Never in the future: what is decoded ahead of its turn counts as taken when it is handed out.
    assert [pace.captured_ns // MS for pace in paces] == [0, 40, 40, 80, 160]
    assert all(pace.captured_ns <= pace.due_ns for pace in paces)


def test_times_that_are_missing_stand_still() -> None:
    pacing = HlsPacing()
    assert pacing.place(None, None, 7 * S).due_ns == 7 * S
    assert pacing.place(None, 40 * MS, 7 * S).due_ns == 7 * S + 40 * MS
    assert pacing.place(None, None, 7 * S).due_ns == 7 * S + 40 * MS
