"""Real encoders, real MP4 files: cut from a ring, read back by FFmpeg, compared packet by packet, pixel by pixel."""

import io
import resource
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from penstock.base.clock import NS_PER_S, SimulatedClock, SystemClock
from penstock.contracts.clips import ClipEnd, ClipJob, ClipResult
from penstock.contracts.events import EvidenceKind, EvidenceState
from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import RecordSpec
from penstock.contracts.times import CaptureTime, ClockReading, TimeBasis
from penstock.evidence.jpeg import encode_jpeg
from penstock.evidence.manifest import Manifest, read_manifest, verify_chain, verify_manifest
from penstock.evidence.recorder import CameraFeed, Recorder
from penstock.evidence.snapshot import decode_frame
from penstock.testkit.film import Film, make_film
from penstock.testkit.rings import ListRing

START_NS = 1_000 * NS_PER_S
FRAME_NS = NS_PER_S // 25
READING = ClockReading("simulated", START_NS, 1_800_000_000 * NS_PER_S)

STREAMS = [
    pytest.param("libx264", 0, True, id="h264"),
    pytest.param("libx264", 2, True, id="h264-b"),
    pytest.param("libx264", 0, False, id="h264-inband"),
    pytest.param("libx264", 3, False, id="h264-inband-b"),
    pytest.param("libx265", 0, True, id="hevc"),
    pytest.param("libx265", 3, False, id="hevc-inband-b"),
    pytest.param("mpeg4", 0, True, id="mpeg4"),
    pytest.param("mpeg4", 2, False, id="mpeg4-inband-b"),
]
SEEN_STREAMS = [*STREAMS, pytest.param("mjpeg", 0, False, id="mjpeg")]
"""also what clips are encoded of"""


def ring_of(*films: Film) -> ListRing:
    ring = ListRing()
    for film in films:
        ring.declare(film.packets[0].id.stream.session, film.packets[0].info_id, film.info)
        for packet in film.packets:
            ring.append(packet)
    return ring


def frame_ref(packet: EncodedPacket, film: Film) -> FrameRef:
    return FrameRef(
        id=packet.id,
        index=1,
        capture=packet.capture,
        received_ns=packet.received_ns,
        decoded_ns=packet.received_ns,
        width_px=film.info.width_px,
        height_px=film.info.height_px,
    )


def job_of(film: Film, frame: int = 60, event_id: str = "0123456789abcdef", end: int | None = 80) -> ClipJob:
    packet = next(p for p in film.packets if p.capture.mono_ns == START_NS + frame * FRAME_NS)
    boxes = Detections(
        xyxy=np.array([[1, 2, 30, 40]], "<f4").tobytes(),
        confidence=np.array([0.9], "<f4").tobytes(),
        class_id=np.array([0], "<i4").tobytes(),
        class_names=("person",),
    )
    return ClipJob(
        event_id=event_id,
        rule="two people",
        camera="gate",
        start_ns=START_NS + frame * FRAME_NS,
        confirmed_ns=START_NS + frame * FRAME_NS,
        end_ns=None if end is None else START_NS + end * FRAME_NS,
        clock=READING,
        run_id="run",
        result=Result("model", "hash", frame_ref(packet, film), boxes),
    )


SPEC = RecordSpec(pre_capture_ns=NS_PER_S, post_capture_ns=NS_PER_S)


def record(tmp_path: Path, ring: ListRing, job: ClipJob, spec: RecordSpec = SPEC) -> tuple[ClipResult, Manifest | None]:
    """Runs a recorder to the end of one job on a simulated clock."""
    results: list[ClipResult] = []
    clock = SimulatedClock(job.confirmed_ns)
    recorder = Recorder(tmp_path, {"gate": CameraFeed(spec, ring, ring)}, clock, results.append, "penstock 0")
    recorder.prepare()
    assert recorder.submit_nowait(job)
    for _ in range(200):
        clock.advance_to(max(clock.now_ns(), recorder.step(clock.now_ns())))
        if recorder.statistics().jobs == 0:
            break
    result = results[-1]
    manifests = list(tmp_path.rglob("manifest.json"))
    return result, read_manifest(manifests[0]) if manifests else None


def annexb(data: bytes, codec: str) -> list[bytes]:
    """The NAL units of a packet as sent, without start codes; other codecs have no units."""
    if codec not in ("h264", "hevc"):
        return [data]
    return [nal.rstrip(b"\0") for nal in data.split(b"\0\0\1") if nal.rstrip(b"\0")]


def prefixed(data: bytes, codec: str) -> list[bytes]:
    """The NAL units of a packet as MP4 holds it, without their lengths."""
    if codec not in ("h264", "hevc"):
        return [data]
    nals, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        nals.append(data[at + 4 : at + 4 + size].rstrip(b"\0"))
        at += 4 + size
    return nals


def read_back(path: Path) -> tuple[list[Any], list[np.ndarray]]:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    return packets, pictures


@pytest.mark.parametrize(("encoder", "b_frames", "header"), STREAMS)
def test_a_clip_holds_the_very_packets_and_plays_from_its_first_picture(
    tmp_path: Path, encoder: str, b_frames: int, header: bool
) -> None:
    film = make_film(encoder, 150, b_frames=b_frames, global_header=header, gop=10, first_capture_ns=START_NS)
    result, manifest = record(tmp_path, ring_of(film), job_of(film))
    assert [e.state for e in result.evidence] == [EvidenceState.READY] * 2, result
    assert manifest is not None
    clip = tmp_path / result.evidence[0].path
    packets, pictures = read_back(clip)

    kept = [prefixed(bytes(p), film.info.codec) for p in packets]
    sent = [p for p in film.packets if annexb(p.data, film.info.codec) in kept]
    assert kept == [annexb(p.data, film.info.codec) for p in sent]

    window_start_ns, window_end_ns = START_NS + 35 * FRAME_NS, START_NS + 105 * FRAME_NS
    assert sent[0].keyframe
    assert window_start_ns - 10 * FRAME_NS < sent[0].capture.mono_ns <= window_start_ns
    inside = [p for p in film.packets if window_start_ns <= p.capture.mono_ns <= window_end_ns]
    assert {p.id.seq for p in inside} <= {p.id.seq for p in sent}
    assert len(sent) <= (window_end_ns - sent[0].capture.mono_ns) // FRAME_NS + 1 + film.info.reorder_frames

    assert len(pictures) == len(packets)
    assert packets[0].pts == 0
    assert all(p.pts is not None and p.dts is not None and p.dts <= p.pts for p in packets)
    shown = sorted(p.capture.mono_ns for p in sent)
    times_ns = sorted(round(p.pts * p.time_base * NS_PER_S) for p in packets if p.pts is not None)
    assert times_ns == pytest.approx([at - shown[0] for at in shown], abs=100_000)
    with av.open(str(clip)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(manifest.parts[0].duration_ns / 1e9, abs=0.002)
    assert manifest.parts[0].duration_ns == pytest.approx(shown[-1] - shown[0] + FRAME_NS, abs=1_000_000)
    assert manifest.gaps == ()
    assert manifest.truncated == ""
    assert verify_manifest(tmp_path / result.evidence[0].manifest) == []


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(np.mean((a.astype(float) - b.astype(float)) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))


@pytest.mark.parametrize(("encoder", "b_frames", "header"), SEEN_STREAMS)
def test_every_picture_can_be_the_snapshot(encoder: str, b_frames: int, header: bool) -> None:
    """Decoded to the access unit asked for: the same pixels as when the whole stream is decoded."""
    film = make_film(encoder, 45, b_frames=b_frames, global_header=header, gop=15, first_capture_ns=START_NS)
    ring = ring_of(film)
    context: Any = av.CodecContext.create(film.info.codec, "r")
    if film.info.extradata:
        context.extradata = film.info.extradata
    whole = []
    for packet in film.packets:
        unit: Any = av.Packet(len(packet.data))
        unit.update(packet.data)  # Packet(data) would lack the padding that decoders read into
        whole += context.decode(unit)
    whole += context.decode(None)
    assert len(whole) == len(film.packets)
    for packet in film.packets:
        shown = (packet.capture.mono_ns - START_NS) // FRAME_NS
        frame = decode_frame(ring, frame_ref(packet, film))
        wanted = whole[shown].to_ndarray(format="yuv420p")
        assert np.array_equal(frame.to_ndarray(format="yuv420p"), wanted), (packet.id.seq, shown)
    jpeg = encode_jpeg(frame, 90)
    with av.open(io.BytesIO(jpeg), "r", format="jpeg_pipe") as container:
        seen = next(container.decode(video=0))
    assert (seen.width, seen.height) == (160, 96)
    assert psnr(seen.to_ndarray(format="rgb24"), frame.to_ndarray(format="rgb24")) > 36


def test_two_sizes_become_two_parts(tmp_path: Path) -> None:
    first = make_film(frames=75, session=1, first_capture_ns=START_NS)
    second = make_film(frames=75, session=2, width_px=96, height_px=64, first_capture_ns=START_NS + 80 * FRAME_NS)
    result, manifest = record(tmp_path, ring_of(first, second), job_of(first, 60, end=100))
    clips = [e for e in result.evidence if e.kind is EvidenceKind.CLIP]
    assert [Path(e.path).name for e in clips] == ["clip-1.mp4", "clip-2.mp4"]
    assert manifest is not None
    assert [(p.session, p.width_px, p.height_px) for p in manifest.parts] == [(1, 160, 96), (2, 96, 64)]
    assert [(g.cause, (g.end.utc_ns - g.start.utc_ns) // FRAME_NS) for g in manifest.gaps] == [("reconnected", 6)]
    for part, film in zip(clips, (first, second), strict=True):
        packets, pictures = read_back(tmp_path / part.path)
        assert pictures[0].shape == (film.info.height_px, film.info.width_px)
        assert len(pictures) == len(packets)
    assert verify_manifest(tmp_path / clips[0].manifest) == []


def test_packets_of_files_keep_their_length_prefixes(shared_data: Path, tmp_path: Path) -> None:
    """H.264 as MP4 holds it (avcC), with keyframes far apart: 5 in 1189 frames."""
    ring = ListRing()
    stream_key = StreamKey("host", "boot", "run", "gate", Role.DETECT, 7)
    with av.open(str(shared_data / "videos" / "bottle-detection.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        info = StreamInfo(
            codec=stream.codec_context.name,
            width_px=stream.width,
            height_px=stream.height,
            time_base=(stream.time_base.numerator, stream.time_base.denominator),
            extradata=stream.codec_context.extradata or b"",
            fps=float(stream.average_rate or 0),
            reorder_frames=2,
        )
        ring.declare(7, 0, info)
        sent = []
        for seq, made in enumerate(p for p in container.demux(stream) if p.size):
            assert made.pts is not None
            capture_ns = START_NS + int(made.pts * stream.time_base * NS_PER_S)
            capture = CaptureTime(capture_ns, TimeBasis.MEDIA, 0)
            unit = FrameId(stream_key, seq)
            sent.append(
                EncodedPacket(
                    unit, 0, bytes(made), made.is_keyframe, made.pts, made.dts, made.duration or 0, capture_ns, capture
                )
            )
            ring.append(sent[-1])
    film = Film(info, tuple(sent), ())
    middle = sent[600]
    job = ClipJob(
        "bottle", "bottles", "gate", middle.capture.mono_ns, middle.capture.mono_ns, middle.capture.mono_ns, READING,
        "run", Result("model", "hash", frame_ref(middle, film)),
    )  # fmt: skip
    result, manifest = record(tmp_path, ring, job)
    assert [e.state for e in result.evidence] == [EvidenceState.READY] * 2, result
    assert manifest is not None
    packets, pictures = read_back(tmp_path / result.evidence[0].path)
    assert len(pictures) == len(packets) == manifest.parts[0].packets
    start = next(i for i, p in enumerate(sent) if p.data == bytes(packets[0]))
    assert [bytes(p) for p in packets] == [p.data for p in sent[start : start + len(packets)]]
    assert sent[start].capture.mono_ns <= middle.capture.mono_ns - NS_PER_S


def test_a_recorder_on_its_own_thread_follows_a_ring_that_grows(tmp_path: Path) -> None:
    film = make_film(frames=150, first_capture_ns=SystemClock().now_ns() - 4 * NS_PER_S)
    ring = ListRing()
    ring.declare(1, 0, film.info)
    for packet in film.packets[:100]:
        ring.append(packet)
    done = threading.Event()
    results: list[ClipResult] = []

    def on_result(result: ClipResult) -> None:
        results.append(result)
        if all(e.state is not EvidenceState.PENDING for e in result.evidence):
            done.set()

    recorder = Recorder(tmp_path, {"gate": CameraFeed(SPEC, ring, ring)}, SystemClock(), on_result, "penstock 0")
    recorder.start()
    try:
        start_ns = film.packets[60].capture.mono_ns
        result = Result("model", "hash", frame_ref(film.packets[60], film))
        job = ClipJob("live", "rule", "gate", start_ns, start_ns, None, READING, "run", result)
        assert recorder.submit_nowait(job)
        for packet in film.packets[100:]:
            ring.append(packet)
        recorder.end_nowait(ClipEnd("live", film.packets[80].capture.mono_ns))
        assert done.wait(10)
    finally:
        recorder.stop()
    packets, _ = read_back(tmp_path / results[-1].evidence[0].path)
    assert len(packets) == 105 - 30 + 1  # from the keyframe 30 at or before 35, to 80 + 25
    assert recorder.statistics().clips_ready == 1


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 40 kB: the kernel's own refusal, as of a full disk, for this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_clip_that_the_disk_refuses_fails_with_its_reason_and_leaves_nothing(
    tmp_path: Path, small_files: None
) -> None:
    film = make_film("mpeg4", frames=150, gop=1, first_capture_ns=START_NS)
    result, manifest = record(tmp_path, ring_of(film), job_of(film))
    clip, snapshot = result.evidence
    assert (clip.kind, clip.state) == (EvidenceKind.CLIP, EvidenceState.FAILED)
    assert "File too large" in clip.reason
    assert snapshot.state is EvidenceState.READY
    assert manifest is not None
    assert manifest.failure == clip.reason
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["manifest.json", "snapshot.jpg"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], check=False, capture_output=True, text=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_fails_one_clip_and_the_next_is_made_once_there_is_room(small_disk: Path) -> None:
    film = make_film("mpeg4", frames=150, gop=1, first_capture_ns=START_NS)
    result, _ = record(small_disk, ring_of(film), job_of(film, event_id="1-full"))
    assert result.evidence[0].state is EvidenceState.FAILED
    assert "No space left on device" in result.evidence[0].reason
    assert list(small_disk.rglob(".*")) == []
    small = make_film(frames=150, width_px=64, height_px=48, first_capture_ns=START_NS)
    result, _ = record(small_disk, ring_of(small), job_of(small, event_id="2-small"))
    assert [e.state for e in result.evidence] == [EvidenceState.READY] * 2, result
    assert verify_chain(small_disk / "clips" / "gate") == []


def test_changed_clips_and_missing_links_show(tmp_path: Path) -> None:
    film = make_film(frames=150, first_capture_ns=START_NS)
    for i, frame in enumerate((50, 60, 70)):
        record(tmp_path, ring_of(film), job_of(film, frame, event_id=f"{i}event", end=frame + 5))
    folder = tmp_path / "clips" / "gate"
    manifests = sorted(folder.rglob("manifest.json"))
    assert [read_manifest(path).sequence for path in manifests] == [1, 2, 3]
    assert verify_chain(folder) == []

    clip = manifests[1].parent / "clip.mp4"
    data = bytearray(clip.read_bytes())
    data[len(data) // 2] ^= 1
    clip.write_bytes(data)
    assert verify_chain(folder) == [f"{clip} was changed: its SHA-256 is not the one in manifest.json"]

    for path in manifests[1].parent.iterdir():
        path.unlink()
    assert verify_chain(folder) == [f"{manifests[2]} is number 3 of its camera, but number 2 is missing"]

    first = manifests[0].read_text().replace("two people", "no people ")
    manifests[0].write_text(first)
    manifests[1].write_bytes(manifests[2].read_bytes().replace(b'"sequence": 3', b'"sequence": 2'))
    problems = "\n".join(verify_chain(folder))
    assert "is missing" in problems
