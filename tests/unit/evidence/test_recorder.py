"""The recorder on a simulated clock: what it says of every event, whatever the camera and the disk do."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.contracts.clips import ClipEnd, ClipJob, ClipResult
from penstock.contracts.events import EvidenceKind, EvidenceState
from penstock.contracts.frames import FrameRef
from penstock.contracts.packets import EncodedPacket
from penstock.contracts.results import Result
from penstock.contracts.specs import RecordSpec
from penstock.contracts.times import ClockReading
from penstock.evidence.archive import Verification, verify_archive
from penstock.evidence.jpeg import quantiser
from penstock.evidence.manifest import Manifest, read_manifest, verify_chain
from penstock.evidence.recorder import CameraFeed, Recorder
from penstock.testkit.film import Film, make_film
from penstock.testkit.rings import ListRing

T0 = 1_000 * NS_PER_S
FRAME_NS = NS_PER_S // 25
SPEC = RecordSpec(pre_capture_ns=NS_PER_S, post_capture_ns=NS_PER_S, max_clip_ns=4 * NS_PER_S)
READY, FAILED, PENDING, REFUSED = (
    EvidenceState.READY,
    EvidenceState.FAILED,
    EvidenceState.PENDING,
    EvidenceState.REFUSED,
)


@pytest.fixture(scope="module")
def film() -> Film:
    """Eight seconds at 25 fps, a keyframe every 10 frames, from T0."""
    return make_film(frames=200, width_px=64, height_px=48, first_capture_ns=T0)


class Bench:
    """One recorder, one camera, and the ring that a test fills as time goes by."""

    def __init__(self, tmp_path: Path, spec: RecordSpec = SPEC) -> None:
        self.folder = tmp_path
        self.clock = SimulatedClock(T0)
        self.ring = ListRing()
        self.results: list[ClipResult] = []
        self.recorder = self.restart(spec)

    def restart(self, spec: RecordSpec = SPEC) -> Recorder:
        self.recorder = Recorder(
            self.folder, {"gate": CameraFeed(spec, self.ring, self.ring)}, self.clock, self.results.append, "penstock 0"
        )
        self.recorder.prepare()
        return self.recorder

    def feed(self, film: Film, first: int = 0, last: int = 200) -> None:
        self.ring.declare(film.packets[0].id.stream.session, 0, film.info)
        for packet in film.packets[first:last]:
            self.ring.append(packet)

    def run(self, until_frame: int) -> None:
        """Steps as often as the recorder asks, up to the instant of that frame."""
        end_ns = T0 + until_frame * FRAME_NS
        while (wake_ns := self.recorder.step(self.clock.now_ns())) <= end_ns:
            self.clock.advance_to(max(wake_ns, self.clock.now_ns()))
        self.clock.advance_to(end_ns)

    def states(self) -> list[EvidenceState]:
        return [e.state for e in self.results[-1].evidence]

    def manifest(self) -> Manifest:
        return read_manifest(self.folder / self.results[-1].evidence[0].manifest)

    def gaps(self) -> list[tuple[str, int, int]]:
        """Cause, and from which frame to which."""
        offset = self.clock.utc_offset_ns + T0
        return [
            (g.cause, (g.start.utc_ns - offset) // FRAME_NS, (g.end.utc_ns - offset) // FRAME_NS)
            for g in self.manifest().gaps
        ]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.recorder.close()


def job(
    film: Film, frame: int = 50, end: int | None = 60, event_id: str = "event-1", picture: EncodedPacket | None = None
) -> ClipJob:
    packet = picture or film.packets[frame]
    ref = FrameRef(packet.id, 1, packet.capture, packet.received_ns, packet.received_ns, 64, 48)
    clock = SimulatedClock(T0)
    return ClipJob(
        event_id=event_id,
        rule="rule",
        camera="gate",
        start_ns=T0 + frame * FRAME_NS,
        confirmed_ns=T0 + frame * FRAME_NS,
        end_ns=None if end is None else T0 + end * FRAME_NS,
        clock=ClockReading("simulated", T0, clock.utc_ns()),
        run_id="run",
        result=Result("model", "hash", ref),
    )


def test_a_clip_grows_until_its_end_is_known(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 60)
    bench.clock.advance_to(T0 + 60 * FRAME_NS)
    assert bench.recorder.submit_nowait(job(film, end=None))
    bench.run(70)
    assert bench.states() == [PENDING, READY]
    bench.feed(film, 60, 100)
    bench.run(100)
    assert len(bench.results) == 1
    bench.recorder.end_nowait(ClipEnd("event-1", T0 + 90 * FRAME_NS))
    bench.feed(film, 100, 120)
    bench.run(125)
    assert bench.states() == [READY, READY]
    manifest = bench.manifest()
    assert manifest.parts[0].packets == 116 - 20  # from the keyframe 20, at or before 25, to 90 + 25
    assert (bench.gaps(), manifest.truncated) == ([], "")
    assert (manifest.event.end, manifest.asked.end) != (None, None)
    assert manifest.time_error.between_ns == 0


def test_the_seventeenth_job_is_refused_and_counted(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 60)
    taken = [bench.recorder.submit_nowait(job(film, event_id=f"{i}event", end=None)) for i in range(17)]
    assert taken == [True] * 16 + [False]
    assert bench.results[-1].event_id == "16event"
    assert [(e.kind, e.state) for e in bench.results[-1].evidence] == [
        (EvidenceKind.CLIP, REFUSED),
        (EvidenceKind.SNAPSHOT, REFUSED),
    ]
    bench.run(1)
    assert not bench.recorder.submit_nowait(job(film, event_id="17event"))
    assert bench.recorder.submit_nowait(job(film, event_id="3event", end=52)), "a known event needs no room"
    statistics = bench.recorder.statistics()
    assert (statistics.refused, statistics.jobs, statistics.accepted, statistics.repeated) == (2, 16, 16, 1)


def on_trial(film: Film, event_id: str, frame: int = 50) -> ClipJob:
    return msgspec.structs.replace(job(film, frame, None, event_id), clip=False)


def test_what_is_on_trial_gets_its_snapshot_at_once_and_no_clip(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 60)
    assert bench.recorder.submit_nowait(on_trial(film, "1trial"))
    bench.run(1)
    (result,) = bench.results
    ((kind, state),) = [(piece.kind, piece.state) for piece in result.evidence]
    assert (kind, state) == (EvidenceKind.SNAPSHOT, READY)
    manifest = bench.manifest()
    folder = (bench.folder / result.evidence[0].path).parent
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "snapshot.jpg"]
    assert manifest.snapshot is not None
    assert manifest.snapshot.sha256 == result.evidence[0].sha256
    assert (manifest.parts, manifest.gaps, manifest.delivered, manifest.event.end) == ((), (), None, None)
    assert "no clip was asked for" in manifest.failure
    assert manifest.asked.start == manifest.asked.end
    assert manifest.asked.start.utc_ns == bench.clock.utc_offset_ns + T0 + 50 * FRAME_NS
    assert verify_archive(bench.folder) == Verification(1, 1, ())
    statistics = bench.recorder.statistics()
    assert (statistics.jobs, statistics.accepted, statistics.clips_ready, statistics.clips_failed) == (0, 0, 0, 0)
    assert (statistics.snapshots_ready, statistics.snapshots_failed) == (1, 0)


def test_manifests_with_and_without_a_clip_are_one_chain(bench: Bench, film: Film) -> None:
    bench.feed(film)
    bench.recorder.submit_nowait(on_trial(film, "1trial"))
    bench.recorder.submit_nowait(job(film, event_id="2real"))
    bench.recorder.submit_nowait(on_trial(film, "3trial", frame=60))
    bench.run(200)
    assert verify_archive(bench.folder) == Verification(1, 3, ())
    places = {result.event_id: result.evidence[0].manifest for result in bench.results}
    order = sorted(places, key=lambda event_id: read_manifest(bench.folder / places[event_id]).sequence)
    assert order == ["2real", "1trial", "3trial"], "its window was over already"
    (bench.folder / places["1trial"]).unlink()
    assert len(verify_archive(bench.folder).problems) == 1


def test_what_is_on_trial_takes_no_place_from_a_clip_and_its_own_are_few(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 60)
    submit = bench.recorder.submit_nowait
    assert [submit(on_trial(film, f"{i}trial")) for i in range(6)] == [True] * 4 + [False] * 2
    assert [result.event_id for result in bench.results] == ["4trial", "5trial"]
    assert [(e.kind, e.state) for e in bench.results[-1].evidence] == [(EvidenceKind.SNAPSHOT, REFUSED)]
    assert "4 snapshots of what is on trial wait" in bench.results[-1].evidence[0].reason
    assert submit(on_trial(film, "0trial")), "a known event needs no room"
    assert [submit(job(film, event_id=f"{i}real", end=None)) for i in range(17)] == [True] * 16 + [False]
    statistics = bench.recorder.statistics()
    assert (statistics.jobs, statistics.refused, statistics.snapshots_refused) == (16, 1, 3)
    bench.results.clear()
    assert bench.recorder.step(bench.clock.now_ns()) == bench.clock.now_ns(), "more waits"
    assert [result.event_id for result in bench.results] == [f"{i}real" for i in range(16)] + ["0trial"]
    bench.run(2)
    assert [result.event_id for result in bench.results[17:]] == ["1trial", "2trial", "3trial"]
    assert submit(on_trial(film, "6trial")), "those before it are made"
    bench.recorder.close()
    newest = {result.event_id: result for result in bench.results}
    assert {(len(r.evidence), *(e.state for e in r.evidence)) for r in newest.values()} == {
        (2, READY, READY),
        (1, READY),
    }
    assert len(newest) == 16 + 5


def test_a_real_event_goes_before_what_waited_longer(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 60)
    for i in range(3):
        bench.recorder.submit_nowait(on_trial(film, f"{i}trial"))
    bench.recorder.step(T0)
    bench.recorder.submit_nowait(job(film, event_id="real", end=None))
    bench.run(1)
    assert [result.event_id for result in bench.results] == ["0trial", "real", "1trial", "2trial"]


def test_the_snapshot_of_what_is_on_trial_that_cannot_be_made_says_why(bench: Bench, film: Film) -> None:
    bench.recorder.submit_nowait(on_trial(film, "1trial"))
    bench.run(1)
    (piece,) = bench.results[-1].evidence
    assert (piece.kind, piece.state, piece.reason) == (EvidenceKind.SNAPSHOT, FAILED, "the packet ring is empty")
    assert [p for p in bench.folder.rglob("*") if p.is_file()] == []
    bench.feed(film, 0, 60)
    blocked = bench.folder / "clips" / "gate"
    blocked.joinpath("2023-11-14").rmdir()
    blocked.rmdir()
    blocked.write_text("a file where the folder should be")
    bench.recorder.submit_nowait(on_trial(film, "2trial"))
    bench.recorder.submit_nowait(msgspec.structs.replace(on_trial(film, "3trial"), camera="attic"))
    bench.run(2)
    reasons = [result.evidence[0].reason for result in bench.results[-2:]]
    assert "make the data folder writable" in reasons[0]
    assert reasons[1] == "no packets are kept of camera 'attic'"
    assert {(len(r.evidence), r.evidence[0].kind, r.evidence[0].state) for r in bench.results} == {
        (1, EvidenceKind.SNAPSHOT, FAILED)
    }
    statistics = bench.recorder.statistics()
    assert (statistics.snapshots_failed, statistics.clips_failed, statistics.accepted) == (3, 0, 0)


def test_a_new_recorder_makes_no_second_snapshot_of_what_is_on_trial(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 60)
    bench.recorder.submit_nowait(on_trial(film, "1trial"))
    bench.run(1)
    bench.restart()
    # From an engine that took over from another: it has no result to tell of.
    bench.recorder.submit_nowait(msgspec.structs.replace(on_trial(film, "1trial"), result=None))
    bench.run(2)
    assert bench.results[1] == bench.results[0]
    assert verify_archive(bench.folder) == Verification(1, 1, ())


def test_a_silent_camera_ends_with_its_gap_stated(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 55)
    bench.clock.advance_to(T0 + 55 * FRAME_NS)
    bench.recorder.submit_nowait(job(film, end=90))
    bench.run(90 + 25 + 49)
    assert bench.states() == [PENDING, READY]
    bench.run(90 + 25 + 60)
    assert bench.states() == [READY, READY]
    assert bench.gaps() == [("silent", 54, 115)]


def test_a_clip_without_any_packet_says_why(bench: Bench, film: Film) -> None:
    bench.recorder.submit_nowait(job(film))
    bench.run(160)
    clip, snapshot = bench.results[-1].evidence
    assert (clip.state, snapshot.state) == (FAILED, FAILED)
    assert "sent no packets" in clip.reason
    assert "ring is empty" in snapshot.reason
    assert [p for p in bench.folder.rglob("*") if p.is_file()] == []


def test_a_ring_that_does_not_reach_back_is_a_gap(bench: Bench, film: Film) -> None:
    bench.feed(film)
    bench.ring.lap_to(31)
    bench.recorder.submit_nowait(job(film))
    bench.run(200)
    assert bench.gaps() == [("not_kept", 25, 40)]


def test_a_lapped_reader_goes_on_at_a_keyframe(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 60)
    bench.recorder.submit_nowait(job(film, end=90))
    bench.run(60)
    bench.feed(film, 60, 120)
    bench.ring.lap_to(75)
    bench.run(200)
    assert bench.states() == [READY, READY]
    assert bench.gaps() == [("lapped", 59, 80)]
    assert len(bench.manifest().parts) == 1
    assert bench.recorder.statistics().lapped == 1


def test_units_missing_in_the_ring_are_a_gap(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 52)
    bench.feed(film, 58, 120)
    bench.recorder.submit_nowait(job(film))
    bench.run(200)
    assert bench.gaps() == [("missing", 51, 58)]


def test_a_clip_stops_at_its_limit_and_says_so(bench: Bench, film: Film) -> None:
    bench.feed(film)
    bench.recorder.submit_nowait(job(film, end=None))
    bench.run(200)
    assert bench.states() == [READY, READY]
    manifest = bench.manifest()
    assert manifest.truncated == "the clip reached max_clip (4 s)"
    assert manifest.asked.end is None
    assert manifest.parts[0].packets == (25 + 100) - 20 + 1
    bench.recorder.end_nowait(ClipEnd("event-1", T0))
    assert bench.recorder.statistics().ends_unknown == 1


def test_a_keyframe_from_before_an_outage_does_not_start_the_clip(bench: Bench, film: Film) -> None:
    old = make_film(frames=20, width_px=64, height_px=48, session=9, first_capture_ns=T0 - 3600 * NS_PER_S)
    bench.feed(old, 0, 20)
    bench.ring.declare(1, 0, film.info)
    for packet in film.packets[30:100]:
        bench.ring.append(packet)
    bench.recorder.submit_nowait(job(film))
    bench.run(200)
    assert [part.session for part in bench.manifest().parts] == [1]
    assert bench.gaps() == [("not_kept", 25, 30)]


@pytest.mark.parametrize(
    ("name", "spec", "record", "expected"),
    [
        ("not recorded", msgspec.structs.replace(SPEC, enabled=False), True, []),
        ("no snapshot wanted", msgspec.structs.replace(SPEC, snapshot=False), True, [READY]),
        ("no record stream", SPEC, False, [FAILED, READY]),
    ],
)
def test_what_is_made_follows_the_cameras_settings(
    tmp_path: Path, film: Film, name: str, spec: RecordSpec, record: bool, expected: list[EvidenceState]
) -> None:
    bench = Bench(tmp_path)
    bench.feed(film)
    feed = CameraFeed(spec, bench.ring if record else None, bench.ring)
    bench.recorder = Recorder(tmp_path, {"gate": feed}, bench.clock, bench.results.append, "penstock 0")
    bench.recorder.prepare()
    bench.recorder.submit_nowait(job(film))
    bench.run(200)
    assert bench.states() == expected, name


def test_a_camera_nobody_keeps_is_named(bench: Bench, film: Film) -> None:
    bench.recorder.submit_nowait(msgspec.structs.replace(job(film), camera="attic"))
    bench.run(1)
    assert bench.results[-1].evidence[0].reason == "no packets are kept of camera 'attic'"


def test_a_folder_that_cannot_be_written_fails_that_event_only(bench: Bench, film: Film) -> None:
    bench.feed(film)
    blocked = bench.folder / "clips" / "gate"
    blocked.parent.mkdir()
    blocked.write_text("a file where the folder should be")
    bench.recorder.submit_nowait(job(film, event_id="first"))
    bench.run(200)
    assert bench.states() == [FAILED, FAILED]
    assert "folder writable" in bench.results[-1].evidence[0].reason
    blocked.unlink()
    bench.recorder.submit_nowait(job(film, event_id="second"))
    bench.run(400)
    assert bench.states() == [READY, READY]


def test_a_codec_that_mp4_cannot_hold_is_named(bench: Bench, film: Film) -> None:
    bench.feed(film)
    bench.ring.declare(1, 0, msgspec.structs.replace(film.info, codec="vp8", extradata=b""))
    bench.recorder.submit_nowait(job(film))
    bench.run(200)
    assert "vp8 video cannot be kept in MP4" in bench.results[-1].evidence[0].reason
    assert list(bench.folder.rglob(".*")) == []


def test_stopping_finishes_what_is_open(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 80)
    bench.clock.advance_to(T0 + 80 * FRAME_NS)
    bench.recorder.submit_nowait(job(film, end=None))
    bench.recorder.close()
    assert bench.states() == [READY, READY]
    assert bench.manifest().truncated == "the recorder was stopped"
    assert bench.manifest().parts[0].packets == 60
    assert bench.recorder.statistics().jobs == 0


def test_a_camera_that_was_gone_before_the_stop_is_silent_until_then(bench: Bench, film: Film) -> None:
    bench.feed(film, 0, 80)
    bench.clock.advance_to(T0 + 80 * FRAME_NS)
    bench.recorder.submit_nowait(job(film, frame=75, end=None))
    bench.run(140)
    bench.recorder.end_nowait(ClipEnd("event-1", T0 + 120 * FRAME_NS))
    bench.recorder.close()
    assert bench.gaps() == [("silent", 79, 140), ("stopped", 140, 145)]


def test_a_new_recorder_cleans_up_goes_on_with_the_chain_and_makes_nothing_twice(bench: Bench, film: Film) -> None:
    bench.feed(film)
    bench.recorder.submit_nowait(job(film, event_id="one-event"))
    bench.run(200)
    first = bench.results[-1]

    folder = bench.folder / "clips" / "gate"
    leftovers = [
        folder / "2023-11-14" / "22-30-07_rule_two-even" / name for name in (".clip-1.mp4.partial", "clip.mp4")
    ]
    leftovers[0].parent.mkdir()
    for leftover in leftovers:
        leftover.write_bytes(b"half a clip")

    bench.restart()  # the one before was killed: nothing of it is left but its files
    assert not leftovers[0].exists()
    assert bench.recorder.statistics().leftovers_removed == 1
    second_folder = leftovers[0].parent
    for event_id in ("one-event", "two-event"):
        frame = 50 if event_id == "one-event" else 190
        bench.recorder.submit_nowait(job(film, frame, frame + 5, event_id))
    bench.run(400)
    again, second = bench.results[-3], bench.results[-1]
    assert again == first
    assert bench.recorder.statistics().accepted == 1
    assert [e.state for e in second.evidence] == [READY, READY]
    manifest = bench.manifest()
    assert manifest.sequence == 2
    assert sorted(path.name for path in second_folder.iterdir()) == ["clip.mp4", "manifest.json", "snapshot.jpg"]
    assert folder / manifest.previous == bench.folder / first.evidence[0].manifest
    assert verify_chain(folder) == []
    bench.recorder.submit_nowait(job(film, 190, 195, "two-event"))
    bench.run(401)
    assert bench.results[-1] == second


def test_a_receiver_that_fails_costs_no_clip(bench: Bench, film: Film) -> None:
    bench.feed(film)

    def broken(result: ClipResult) -> None:
        raise RuntimeError(result.event_id)

    bench.recorder = Recorder(
        bench.folder, {"gate": CameraFeed(SPEC, bench.ring, bench.ring)}, bench.clock, broken, "penstock 0"
    )
    bench.recorder.prepare()
    bench.recorder.submit_nowait(job(film))
    bench.run(200)
    assert bench.recorder.statistics().clips_ready == 1
    assert bench.recorder.statistics().callbacks_failed == 2


def test_a_defect_in_one_step_does_not_end_the_recorder(
    bench: Bench, film: Film, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bench.feed(film)
    bench.recorder.submit_nowait(job(film))
    step, calls = bench.recorder.step, []

    def failing_once(now_ns: int) -> int:
        calls.append(now_ns)
        if len(calls) <= 2:
            raise RuntimeError("a defect")
        if bench.recorder.statistics().clips_ready:
            bench.recorder._stopping = True
        return step(now_ns)

    monkeypatch.setattr(bench.recorder, "step", failing_once)
    bench.recorder._run()
    assert bench.recorder.statistics().clips_ready == 1
    # The new job woke it once; after that it waits.
    assert [later - calls[0] for later in calls[1:3]] == [0, NS_PER_S]
    # Of ours: whether FFmpeg's own words come too depends on what ran before.
    told = [record.getMessage() for record in caplog.records if record.name.startswith("penstock.")]
    assert told == ["unexpected error in the recorder, going on"] * 2


def replace_seq(packet: EncodedPacket, **changes: object) -> EncodedPacket:
    return msgspec.structs.replace(packet, id=msgspec.structs.replace(packet.id, **changes))


@pytest.mark.parametrize(
    ("name", "lap", "change", "reason"),
    [
        ("overwritten", 60, {}, "keyframe before access unit 50 has left the packet ring"),
        ("never written", 0, {"seq": 5000}, "access unit 5000 is not in the packet ring"),
    ],
)
def test_a_snapshot_that_cannot_be_made_says_why(
    bench: Bench, film: Film, name: str, lap: int, change: dict[str, int], reason: str
) -> None:
    bench.feed(film)
    bench.ring.lap_to(lap)
    picture = replace_seq(film.packets[50], **change)
    bench.recorder.submit_nowait(job(film, picture=picture))
    bench.run(1)
    snapshot = bench.results[-1].evidence[1]
    assert (snapshot.kind, snapshot.state) == (EvidenceKind.SNAPSHOT, FAILED), name
    assert reason in snapshot.reason


def test_quality_maps_onto_the_encoders_range() -> None:
    assert [quantiser(q) for q in (1, 25, 50, 75, 90, 100)] == [31, 31, 16, 8, 3, 1]
    for wrong in (0, 101):
        with pytest.raises(ValueError, match="1 to 100"):
            quantiser(wrong)
