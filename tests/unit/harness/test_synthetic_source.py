"""A synthetic camera keeps its schedule whatever its reader does, and says what the reader missed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.base.clock import NS_PER_MS, NS_PER_S, SimulatedClock
from penstock.contracts.identity import Role, StreamKey
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.harness.cue import give_cue
from penstock.harness.synthetic_source import (
    ADDRESS,
    HEIGHT_PX,
    PICTURES,
    WIDTH_PX,
    Schedule,
    SyntheticSource,
    camera,
)

START_NS = 10 * NS_PER_S


def source(clock: SimulatedClock, **options: str) -> SyntheticSource:
    sessions = iter(range(1, 100))
    return camera(
        spec=StreamSpec("cam", ADDRESS, options={"fps": "10", **options}),
        key=lambda session: StreamKey("host", "boot", "run", "cam", Role.DETECT, session),
        clock=clock,
        new_session=lambda: next(sessions),
    )


def test_frames_come_when_they_are_due_and_say_so() -> None:
    clock = SimulatedClock(START_NS)
    session = source(clock).wait_open()
    frames = [session.wait_read() for _ in range(3)]
    assert [frame.capture.mono_ns - START_NS for frame in frames] == [100 * NS_PER_MS, 200 * NS_PER_MS, 300 * NS_PER_MS]
    assert [frame.received_ns for frame in frames] == [frame.capture.mono_ns for frame in frames]
    assert [frame.id.seq for frame in frames] == [0, 1, 2]
    assert frames[0].capture.error_ns == 0
    assert {(frame.width_px, frame.height_px, len(frame.data)) for frame in frames} == {(64, 36, 64 * 36)}
    assert frames[0].data != frames[1].data


def test_a_late_reader_gets_the_newest_frame_with_its_own_instant_and_the_rest_are_counted() -> None:
    clock = SimulatedClock(START_NS)
    session = source(clock).wait_open()
    session.wait_read()
    clock.advance(350 * NS_PER_MS)
    late = session.wait_read()
    assert late.capture.mono_ns == START_NS + 400 * NS_PER_MS
    assert late.received_ns == START_NS + 450 * NS_PER_MS
    assert session.statistics().lost_packets == 2
    assert session.wait_read().capture.mono_ns == START_NS + 500 * NS_PER_MS
    assert session.statistics().lost_packets == 2


def test_the_phase_sets_cameras_apart() -> None:
    clock = SimulatedClock(START_NS)
    assert source(clock, phase="0.5").wait_open().wait_read().capture.mono_ns == START_NS + 150 * NS_PER_MS


def test_a_camera_moves_only_within_its_window(tmp_path: Path) -> None:
    clock = SimulatedClock(START_NS)
    cue = tmp_path / "cue"
    session = source(clock, motion="window", window="1-2", cue=str(cue)).wait_open()
    give_cue(cue, START_NS)
    pictures = [session.wait_read().data == PICTURES[0] for _ in range(24)]
    # The ninth frame from the cue on comes after 1 s; PICTURES[0] itself comes back every eighth frame.
    moving = [number for number, still in enumerate(pictures, 1) if not still]
    assert moving
    assert min(moving) == 10
    assert max(moving) == 19


def test_a_flapping_camera_is_away_from_the_cue_on(tmp_path: Path) -> None:
    clock = SimulatedClock(START_NS)
    cue = tmp_path / "cue"
    flapping = source(clock, flap="2.0/1.0", cue=str(cue))
    session = flapping.wait_open()
    give_cue(cue, START_NS)
    for _ in range(19):
        session.wait_read()
    with pytest.raises(SourceError) as stalled:
        session.wait_read()
    assert stalled.value.fault is SourceFault.STALLED
    with pytest.raises(SourceError) as refused:
        flapping.wait_open()
    assert refused.value.fault is SourceFault.TIMEOUT
    clock.advance_to(START_NS + 3 * NS_PER_S)
    assert flapping.wait_open().session == 2


def test_an_interrupted_camera_ends_its_session_and_opens_no_other() -> None:
    clock = SimulatedClock(START_NS)
    stopped = source(clock)
    session = stopped.wait_open()
    stopped.interrupt()
    with pytest.raises(SourceError) as ended:
        session.wait_read()
    assert ended.value.fault is SourceFault.INTERRUPTED
    with pytest.raises(SourceError):
        stopped.wait_open()


@pytest.mark.parametrize(
    ("options", "said"), [({"fps": "fast"}, "option fps"), ({"fps": "0"}, "0 fps"), ({"motion": "dance"}, "'dance'")]
)
def test_options_that_cannot_be_meant_are_named(options: dict[str, str], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        source(SimulatedClock(), **options)


def test_pictures_are_grey_and_differ() -> None:
    assert {len(picture) for picture in PICTURES} == {WIDTH_PX * HEIGHT_PX}
    assert len(set(PICTURES)) == len(PICTURES)


@given(
    fps=st.floats(min_value=0.5, max_value=5000),
    waits_ns=st.lists(st.integers(min_value=0, max_value=3 * NS_PER_S), min_size=1, max_size=40),
)
def test_every_due_frame_is_given_or_counted_as_lost(fps: float, waits_ns: list[int]) -> None:
    schedule, now_ns, given_, lost = Schedule(fps, 0), 0, 0, 0
    last = -1
    for wait_ns in waits_ns:
        now_ns += wait_ns
        due = schedule.take(now_ns)
        assert due.number > last
        assert due.at_ns == schedule.due_ns(due.number)
        # Either it is to be waited for, and then it is the very next one; or no newer one is due.
        assert (due.at_ns > now_ns and due.lost == 0) or schedule.due_ns(due.number + 1) > now_ns
        last, given_, lost = due.number, given_ + 1, lost + due.lost
        now_ns = max(now_ns, due.at_ns)
        assert given_ + lost == due.number + 1
