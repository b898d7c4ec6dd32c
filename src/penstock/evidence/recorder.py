"""Makes the evidence of every confirmed event, 16 clips at once at most; one more is refused and counted.

The engine submits a job when an event is confirmed; the recorder takes the snapshot while its picture is still in
the ring, follows the packets into the clip, and reports what there is after each. A fault of one clip (full disk,
unwritable folder, refused packets) is that event's evidence; the others go on. Events of what is on trial get a
snapshot and no clip, and only after all that real events need. Driven by `step(now_ns)`, by a simulated clock in tests
and by its own thread after `start`.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.clips import ClipEnd, ClipJob, ClipResult
from penstock.contracts.events import Evidence, EvidenceKind, EvidenceState
from penstock.contracts.ring import PacketReader
from penstock.contracts.specs import RecordSpec
from penstock.evidence.clip import Clip, Progress
from penstock.evidence.dossier import Dossier, reason_of
from penstock.evidence.inbox import JobInbox
from penstock.evidence.manifest import ClipChain
from penstock.evidence.naming import camera_folder, leftovers

JOB_BOUND = 16
SNAPSHOT_BOUND = 4
"""snapshots of what is on trial that may wait"""
POLL_NS = 200_000_000
_IDLE_NS = NS_PER_S
_PACKETS_PER_TURN = 256
_REMEMBERED = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraFeed:
    """What the recorder needs of one camera; a reader is None where no stream has that role.

    For a camera with one stream, `detect` and `record` read the same ring.
    """

    spec: RecordSpec
    record: PacketReader | None
    detect: PacketReader | None


@dataclass(frozen=True, slots=True)
class RecorderStatistics:
    """Cumulative counts since the start, and the clips at hand. What is on trial counts among snapshots only."""

    jobs: int = 0
    accepted: int = 0
    repeated: int = 0
    """jobs asked for again, open or done"""
    refused: int = 0
    ends_unknown: int = 0
    """ends of events that have no open clip"""
    clips_ready: int = 0
    clips_failed: int = 0
    clips_truncated: int = 0
    snapshots_ready: int = 0
    snapshots_failed: int = 0
    snapshots_refused: int = 0
    """with their clips, or of what is on trial"""
    parts: int = 0
    packets: int = 0
    gaps: int = 0
    lapped: int = 0
    bytes_written: int = 0
    leftovers_removed: int = 0
    callbacks_failed: int = 0


class Recorder:
    """Evidence for the cameras in `feeds`, under `data_dir`.

    `on_result` gets every `ClipResult`; it must not wait. It is called by the thread that steps, and, for a refusal,
    by the thread that submits.
    """

    def __init__(
        self,
        data_dir: Path,
        feeds: Mapping[str, CameraFeed],
        clock: Clock,
        on_result: Callable[[ClipResult], None],
        software: str,
        job_bound: int = JOB_BOUND,
        snapshot_bound: int = SNAPSHOT_BOUND,
    ) -> None:
        self._data_dir = data_dir
        self._feeds = dict(feeds)
        self._clock = clock
        self._on_result = on_result
        self._software = software
        self._lock = threading.Lock()
        self._inbox = JobInbox(job_bound, snapshot_bound)
        self._open: dict[str, Dossier] = {}
        self._done: OrderedDict[str, ClipResult] = OrderedDict()
        self._chains: dict[str, ClipChain] = {}
        self._statistics = RecorderStatistics()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def submit_nowait(self, job: ClipJob) -> bool:
        """Takes a job; False, with a refusal as its result, where 16 clips are at hand already, or 4 snapshots of what
        is on trial wait.

        The same event again replaces what is known of it: an open clip goes on, a finished one is reported again.
        """
        known, refused = self._inbox.put_nowait(job)
        if not refused:
            self._count(repeated=int(known))
            self._wake.set()
            return True
        self._count(refused=int(job.clip), snapshots_refused=1)
        kinds = (EvidenceKind.CLIP, EvidenceKind.SNAPSHOT) if job.clip else (EvidenceKind.SNAPSHOT,)
        self._report(
            ClipResult(job.event_id, tuple(Evidence(kind, EvidenceState.REFUSED, reason=refused) for kind in kinds))
        )
        return False

    def end_nowait(self, end: ClipEnd) -> None:
        """The event ended; its clip goes on for the post-roll. Events without an open clip are counted, no more."""
        if self._inbox.end_nowait(end):
            self._wake.set()
        else:
            self._count(ends_unknown=1)

    def prepare(self) -> None:
        """Removes what a recorder before this one left half-written, and finds the end of each camera's chain.

        A folder that cannot be read is logged, not raised: the events' evidence will say it.
        """
        for camera in self._feeds:
            folder = camera_folder(self._data_dir, camera)
            chain = ClipChain(folder)
            self._chains[camera] = chain
            try:
                for leftover in list(leftovers(folder)):
                    leftover.unlink(missing_ok=True)
                    self._count(leftovers_removed=1)
                chain.load()
            except OSError as error:
                log.warning("clips in %s: %s", folder, reason_of(error), extra={"camera": camera})

    def step(self, now_ns: int) -> int:
        """Does what is due at `now_ns`; returns the instant at which to be called again, or before on new jobs."""
        ends = self._inbox.take_ends()
        for job in self._inbox.clip_jobs():
            self._accept(job, now_ns)
        for end in ends:
            if (dossier := self._open.get(end.event_id)) is not None:
                dossier.set_end(end.end_ns)
        more = False
        for dossier in list(self._open.values()):
            progress = dossier.advance(now_ns, _PACKETS_PER_TURN)
            if progress is Progress.DONE:
                self._conclude(dossier, now_ns)
            more = more or progress is Progress.MORE
        # One a turn, the last of all: a picture takes up to a GOP of decoding, for which no real event is to wait.
        if (snapshot := self._inbox.snapshot_job()) is not None:
            self._accept(snapshot, now_ns)
        more = more or bool(self._inbox)
        return now_ns if more else now_ns + (POLL_NS if self._open else _IDLE_NS)

    def start(self) -> None:
        """Prepares and starts the thread."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, then finishes all open clips with the packets that are there now."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.close()

    def close(self) -> None:
        """Finishes all open clips as they are, then the snapshots that wait; for whoever drives `step` without
        `start`."""
        now_ns = self._clock.now_ns()
        self.step(now_ns)
        for dossier in list(self._open.values()):
            while dossier.advance(now_ns, _PACKETS_PER_TURN) is Progress.MORE:
                pass
            self._conclude(dossier, now_ns, stopped="the recorder was stopped")
        while (job := self._inbox.snapshot_job()) is not None:
            self._accept(job, now_ns)

    def statistics(self) -> RecorderStatistics:
        with self._lock:
            return replace(self._statistics, jobs=self._inbox.clips())

    def _run(self) -> None:
        self.prepare()
        while not self._stopping:
            try:
                wake_ns = self.step(self._clock.now_ns())
            except Exception:
                # A defect: said, and tried again, for without this thread no camera would have evidence any more.
                log.exception("unexpected error in the recorder, going on")
                wake_ns = self._clock.now_ns() + _IDLE_NS
            wait_s = (wake_ns - self._clock.now_ns()) / NS_PER_S
            if wait_s > 0:
                self._clock.wait(self._wake, wait_s)
            self._wake.clear()

    def _accept(self, job: ClipJob, now_ns: int) -> None:
        self._begin(job, now_ns)
        self._inbox.taken(job)

    def _begin(self, job: ClipJob, now_ns: int) -> None:
        """Makes the snapshot and opens the clip, where one is wanted; or says again what is there already."""
        open_dossier = self._open.get(job.event_id)
        if open_dossier is not None:
            open_dossier.replace_job(job)
            self._report(open_dossier.result())
            return
        if (done := self._done.get(job.event_id)) is not None:
            self._count(repeated=1)
            self._report(done)
            return
        feed = self._feeds.get(job.camera)
        if feed is None:
            kind = EvidenceKind.CLIP if job.clip else EvidenceKind.SNAPSHOT
            reason = f"no packets are kept of camera {job.camera!r}"
            self._finished(ClipResult(job.event_id, (Evidence(kind, EvidenceState.FAILED, reason=reason),)))
            self._count(clips_failed=int(job.clip), snapshots_failed=int(not job.clip))
            return
        if not feed.spec.enabled:
            self._finished(ClipResult(job.event_id, ()))
            return
        dossier = Dossier(job, feed.spec, self._data_dir, feed.detect, self._software)
        if (made := dossier.already_made()) is not None:
            self._count(repeated=1)
            self._finished(made)
            return
        if job.clip:
            if feed.record is not None:
                dossier.clip = Clip(job, feed.spec, feed.record, dossier.folder)
            self._count(accepted=1)
            self._open[job.event_id] = dossier
            self._inbox.opened(job.event_id)
        dossier.begin()
        ready, failed = dossier.snapshot_outcome()
        self._count(snapshots_ready=ready, snapshots_failed=failed)
        if job.clip:
            self._report(dossier.result())
        else:
            dossier.conclude(self._chain(job.camera), now_ns, self._clock.utc_ns(), "")
            self._finished(dossier.result())

    def _conclude(self, dossier: Dossier, now_ns: int, stopped: str = "") -> None:
        job = dossier.job
        dossier.conclude(self._chain(job.camera), now_ns, self._clock.utc_ns(), stopped)
        del self._open[job.event_id]
        self._inbox.closed(job.event_id)
        clip = dossier.clip
        ready = bool(dossier.parts)
        self._count(
            clips_ready=int(ready),
            clips_failed=int(not ready),
            clips_truncated=int(ready and clip is not None and bool(clip.truncated)),
            parts=len(dossier.parts),
            packets=0 if clip is None else clip.packets,
            gaps=0 if clip is None else len(clip.gaps),
            lapped=0 if clip is None else clip.lapped,
            bytes_written=sum(part.size_bytes for part in dossier.parts),
        )
        self._finished(dossier.result())

    def _chain(self, camera: str) -> ClipChain:
        return self._chains.setdefault(camera, ClipChain(camera_folder(self._data_dir, camera)))

    def _finished(self, result: ClipResult) -> None:
        self._done[result.event_id] = result
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        self._report(result)

    def _report(self, result: ClipResult) -> None:
        try:
            self._on_result(result)
        except Exception:
            # The receiver's fault must not cost other events their clips; the engine asks again for open ones.
            log.exception("the evidence of event %s could not be reported", result.event_id)
            self._count(callbacks_failed=1)

    def _count(self, **more: int) -> None:
        with self._lock:
            now = self._statistics
            self._statistics = replace(now, **{name: getattr(now, name) + by for name, by in more.items()})
