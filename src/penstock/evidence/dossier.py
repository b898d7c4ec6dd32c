"""All evidence of one event: its folder, snapshot, clip and manifest, and what to say of each at any time.

Whatever goes wrong in it ends here, as a reason: no exception leaves a dossier.
"""

import contextlib
import hashlib
import logging
from pathlib import Path

import av.error
import msgspec

from penstock.contracts.clips import ClipJob, ClipResult
from penstock.contracts.events import Evidence, EvidenceKind, EvidenceState
from penstock.contracts.ring import PacketReader
from penstock.contracts.specs import RecordSpec
from penstock.evidence.clip import Clip, Progress
from penstock.evidence.jpeg import encode_jpeg
from penstock.evidence.manifest import (
    MANIFEST_VERSION,
    ClipChain,
    GapEntry,
    Manifest,
    PartEntry,
    SnapshotEntry,
    Span,
    TimeError,
    encode_manifest,
    instant,
    read_manifest,
    result_entry,
)
from penstock.evidence.naming import MANIFEST, SNAPSHOT, event_folder, sync_folder, write_whole
from penstock.evidence.parts import ClipFailed, FinishedPart
from penstock.evidence.snapshot import SnapshotFailed, decode_frame

log = logging.getLogger(__name__)

_SNAPSHOT_ONLY = "no clip was asked for: the event is of what is on trial"


def reason_of(error: Exception) -> str:
    """What went wrong in words for a user: with the file, and what to do, where the system refused."""
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, av.error.FFmpegError):
        what = error.strerror or type(error).__name__
        where = f": {error.filename}" if error.filename else ""
        return f"{what}{where}; free space or make the data folder writable"
    return str(error) or type(error).__name__


class Dossier:
    """The evidence of one event as it is made. Used by one thread."""

    def __init__(
        self, job: ClipJob, spec: RecordSpec, data_dir: Path, detect: PacketReader | None, software: str
    ) -> None:
        self.job = job
        self.clip: Clip | None = None
        self.parts: list[PartEntry] = []
        self._spec = spec
        self._data_dir = data_dir
        self._detect = detect
        self._software = software
        self._failure = ""
        self._snapshot: SnapshotEntry | None = None
        self._snapshot_failure = ""
        self._has_manifest = False
        start_utc_ns = job.clock.utc_ns_of(job.start_ns)
        self.folder = event_folder(data_dir, job.camera, job.rule, job.event_id, start_utc_ns)

    def already_made(self) -> ClipResult | None:
        """The evidence on disk, where a recorder before this one finished it; None where it did not."""
        try:
            manifest = read_manifest(self.folder / MANIFEST)
        except (OSError, ValueError):
            return None
        if manifest.event_id != self.job.event_id:
            return None
        self.parts = list(manifest.parts)
        self._failure = manifest.failure
        self._snapshot = manifest.snapshot
        self._snapshot_failure = manifest.snapshot_failure
        self._has_manifest = True
        return self.result()

    def begin(self) -> None:
        """Makes the folder and the snapshot: at once, while its picture is still in the ring."""
        if not self.job.clip:
            self._failure = _SNAPSHOT_ONLY
        elif self.clip is None:
            self._failure = "the camera has no stream with the role record"
        elif self.job.end_ns is not None:
            self.clip.set_end(self.job.end_ns)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for stray in self.folder.glob("clip*.mp4"):
                stray.unlink()  # published by a recorder that died before its manifest
        except OSError as error:
            self._fail(error)
            if not self.job.clip:
                self._fail_snapshot(error)
                return
        if self._spec.snapshot:
            self._take_snapshot()

    def replace_job(self, job: ClipJob) -> None:
        """The same event, as it is known now. What is known already stays known: an engine that took over from
        another has no result to tell of."""
        self.job = job if job.result is not None else msgspec.structs.replace(job, result=self.job.result)
        if self.clip is not None and job.end_ns is not None:
            self.clip.set_end(job.end_ns)

    def set_end(self, end_ns: int) -> None:
        if self.clip is not None:
            self.clip.set_end(end_ns)

    def advance(self, now_ns: int, packet_budget: int) -> Progress:
        """Copies packets; DONE where the clip has ended, well or not."""
        if self._failure or self.clip is None:
            return Progress.DONE
        try:
            return self.clip.advance(now_ns, packet_budget)
        except Exception as error:
            self._fail(error)
            return Progress.DONE

    def conclude(self, chain: ClipChain, now_ns: int, utc_ns: int, stopped: str) -> None:
        """Finishes the clip, gives its files their names, and writes the manifest as the next link of `chain`."""
        if self.clip is not None and not self._failure:
            try:
                finished = self.clip.finish(now_ns, stopped)
                for part in finished:
                    self.parts.append(self._publish(part, len(finished)))
                sync_folder(self.folder)
            except Exception as error:
                self._fail(error)
        if not self.parts and self._snapshot is None:
            with contextlib.suppress(OSError):
                self.folder.rmdir()  # only where nothing at all lies in it
            return
        try:
            manifest = self._manifest(chain, utc_ns)
            data = encode_manifest(manifest)
            path = self.folder / MANIFEST
            write_whole(path, data)
            self._has_manifest = True
            chain.appended(path, manifest.sequence, data)
        except Exception as error:
            self._fail(error)
            if not self.job.clip:
                self._tell("manifest", reason_of(error), None if isinstance(error, OSError) else error)

    def snapshot_outcome(self) -> tuple[int, int]:
        """Snapshots made and failed: for the counters."""
        return int(self._snapshot is not None), int(bool(self._snapshot_failure))

    def result(self) -> ClipResult:
        """What there is now, each piece of evidence with its state."""
        manifest = self._relative(MANIFEST) if self._has_manifest else ""
        evidence: list[Evidence] = []
        if self.parts:
            evidence += [
                Evidence(EvidenceKind.CLIP, EvidenceState.READY, self._relative(p.file), manifest, p.sha256)
                for p in self.parts
            ]
        elif not self.job.clip:
            pass
        elif self._failure:
            evidence.append(Evidence(EvidenceKind.CLIP, EvidenceState.FAILED, reason=self._failure))
        else:
            evidence.append(Evidence(EvidenceKind.CLIP, EvidenceState.PENDING))
        if self._snapshot is not None:
            entry = self._snapshot
            path = self._relative(entry.file)
            evidence.append(Evidence(EvidenceKind.SNAPSHOT, EvidenceState.READY, path, manifest, entry.sha256))
        elif self._snapshot_failure:
            evidence.append(Evidence(EvidenceKind.SNAPSHOT, EvidenceState.FAILED, reason=self._snapshot_failure))
        return ClipResult(self.job.event_id, tuple(evidence))

    def _relative(self, name: str) -> str:
        return str((self.folder / name).relative_to(self._data_dir))

    def _fail(self, error: Exception) -> None:
        """The clip, and what was written of it, is gone; the reason stays."""
        unexpected = None if isinstance(error, (OSError, ClipFailed)) else error
        if not self._failure:
            self._failure = reason_of(error)
            self._tell("clip", self._failure, unexpected)
        if self.clip is not None:
            with contextlib.suppress(OSError):
                self.clip.discard()
        for part in self.parts:
            with contextlib.suppress(OSError):
                (self.folder / part.file).unlink(missing_ok=True)
        self.parts = []

    def _tell(self, what: str, reason: str, unexpected: Exception | None) -> None:
        where = {"camera": self.job.camera, "rule": self.job.rule}
        log.error("event %s has no %s: %s", self.job.event_id[:8], what, reason, extra=where, exc_info=unexpected)

    def _take_snapshot(self) -> None:
        """Decodes the picture, or adopts the one that a recorder before this one has made of it."""
        with contextlib.suppress(OSError):
            self._snapshot = self._snapshot_entry((self.folder / SNAPSHOT).read_bytes())
            return
        result = self.job.result
        if result is None:
            self._snapshot_failure = (
                "no result came with the event: none confirmed it, or the engine that had it ended before the picture "
                "was made"
            )
            return
        if self._detect is None:
            self._snapshot_failure = "no packets are kept of the camera's detect stream"
            return
        try:
            data = encode_jpeg(decode_frame(self._detect, result.frame), self._spec.snapshot_quality)
            write_whole(self.folder / SNAPSHOT, data)
        except Exception as error:
            self._fail_snapshot(error)
            return
        self._snapshot = self._snapshot_entry(data)

    def _fail_snapshot(self, error: Exception) -> None:
        unexpected = None if isinstance(error, (OSError, SnapshotFailed)) else error
        self._snapshot_failure = reason_of(error)
        self._tell("snapshot", self._snapshot_failure, unexpected)

    def _snapshot_entry(self, data: bytes) -> SnapshotEntry:
        return SnapshotEntry(SNAPSHOT, hashlib.sha256(data).hexdigest(), self._spec.snapshot_quality)

    def _publish(self, part: FinishedPart, count: int) -> PartEntry:
        name = "clip.mp4" if count == 1 else f"clip-{len(self.parts) + 1}.mp4"
        part.temporary.replace(self.folder / name)
        utc_ns_of = self.job.clock.utc_ns_of
        return PartEntry(
            file=name,
            session=part.session,
            codec=part.info.codec,
            width_px=part.info.width_px,
            height_px=part.info.height_px,
            packets=part.packets,
            size_bytes=part.size_bytes,
            sha256=part.sha256,
            start=instant(utc_ns_of(part.first_capture_ns)),
            end=instant(utc_ns_of(part.last_capture_ns)),
            duration_ns=part.duration_ns,
            repaired_timestamps=part.repaired_timestamps,
            encoded=bool(part.encoded_from),
            encoded_from=part.encoded_from,
            left_out=part.left_out,
        )

    def _manifest(self, chain: ClipChain, utc_ns: int) -> Manifest:
        job, clip = self.job, self.clip
        utc_ns_of = job.clock.utc_ns_of
        window_start_ns = job.start_ns - self._spec.pre_capture_ns
        window_end_ns = None if clip is None else clip.window_end_ns
        if not job.clip:
            # A picture is all that was asked for.
            window_start_ns = window_end_ns = (
                job.confirmed_ns if job.result is None else job.result.frame.capture.mono_ns
            )
        end_ns = job.end_ns if clip is None else clip.end_ns
        stream = None if job.result is None else job.result.frame.id.stream
        return Manifest(
            version=MANIFEST_VERSION,
            software=self._software,
            event_id=job.event_id,
            rule=job.rule,
            camera=job.camera,
            run_id=job.run_id,
            host_id="" if stream is None else stream.host_id,
            boot_id="" if stream is None else stream.boot_id,
            made=instant(utc_ns),
            confirmed=instant(utc_ns_of(job.confirmed_ns)),
            event=Span(
                instant(utc_ns_of(job.start_ns)),
                None if end_ns is None else instant(utc_ns_of(end_ns)),
            ),
            asked=Span(
                instant(utc_ns_of(window_start_ns)),
                None if window_end_ns is None else instant(utc_ns_of(window_end_ns)),
            ),
            delivered=Span(self.parts[0].start, self.parts[-1].end) if self.parts else None,
            parts=tuple(self.parts),
            gaps=()
            if clip is None
            else tuple(
                GapEntry(gap.cause.value, instant(utc_ns_of(gap.start_ns)), instant(utc_ns_of(gap.end_ns)))
                for gap in clip.gaps
            ),
            truncated="" if clip is None else clip.truncated,
            failure=self._failure,
            time_error=self._time_error(),
            result=None if job.result is None else result_entry(job.result, job.clock),
            snapshot=self._snapshot,
            snapshot_failure=self._snapshot_failure,
            sequence=chain.sequence + 1,
            previous=chain.previous,
            previous_sha256=chain.previous_sha256,
        )

    def _time_error(self) -> TimeError:
        result = self.job.result
        detect_ns = None if result is None else result.frame.capture.error_ns
        if self.clip is None or not self.parts:
            return TimeError(detect_ns, None, None)
        record_ns = self.clip.record_error_ns
        if result is None or detect_ns is None:
            return TimeError(None, record_ns, None)
        same = result.frame.id.stream.session in self.clip.sessions
        return TimeError(detect_ns, record_ns, 0 if same else detect_ns + record_ns)
