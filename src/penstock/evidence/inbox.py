"""What the recorder has at hand: jobs that wait, clips that are open, and how many of each there may be.

Clips have their own bound. Jobs for a snapshot alone, of what is on trial, have another and smaller one, so that they
take no place from a real event; and they are taken one by one, after everything that real events need.
"""

import threading
from collections import OrderedDict

from penstock.contracts.clips import ClipEnd, ClipJob


class JobInbox:
    """Any thread may use it; nothing waits."""

    def __init__(self, clip_bound: int, snapshot_bound: int) -> None:
        self._clip_bound = clip_bound
        self._snapshot_bound = snapshot_bound
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, ClipJob] = OrderedDict()
        self._open: set[str] = set()
        self._ends: dict[str, ClipEnd] = {}

    def put_nowait(self, job: ClipJob) -> tuple[bool, str]:
        """Whether the event is at hand already, which needs no room; and why the job is refused, '' where it is not."""
        with self._lock:
            known = job.event_id in self._waiting or job.event_id in self._open
            reason = "" if known else self._refusal(job)
            if not reason:
                self._waiting[job.event_id] = job
            return known, reason

    def end_nowait(self, end: ClipEnd) -> bool:
        """False, and nothing kept, where the event has no clip at hand."""
        with self._lock:
            known = end.event_id in self._waiting or end.event_id in self._open
            if known:
                self._ends[end.event_id] = end
            return known

    def clip_jobs(self) -> list[ClipJob]:
        """All clips that wait, oldest first; each waits until `taken`."""
        with self._lock:
            return [job for job in self._waiting.values() if job.clip]

    def snapshot_job(self) -> ClipJob | None:
        """The oldest of the snapshots that wait; it waits until `taken`."""
        with self._lock:
            return next((job for job in self._waiting.values() if not job.clip), None)

    def take_ends(self) -> list[ClipEnd]:
        """The ends that came since the last call."""
        with self._lock:
            ends, self._ends = self._ends, {}
            return list(ends.values())

    def taken(self, job: ClipJob) -> None:
        """`job` waits no longer, unless it was replaced meanwhile."""
        with self._lock:
            if self._waiting.get(job.event_id) is job:
                del self._waiting[job.event_id]

    def opened(self, event_id: str) -> None:
        """Its clip is being made: it has a place until `closed`."""
        with self._lock:
            self._open.add(event_id)

    def closed(self, event_id: str) -> None:
        with self._lock:
            self._open.discard(event_id)

    def clips(self) -> int:
        """Clips at hand, waiting or open."""
        with self._lock:
            return self._clips()

    def __bool__(self) -> bool:
        """Whether a job waits."""
        with self._lock:
            return bool(self._waiting)

    def _clips(self) -> int:
        return len(self._open.union(identity for identity, job in self._waiting.items() if job.clip))

    def _refusal(self, job: ClipJob) -> str:
        if job.clip:
            if self._clips() < self._clip_bound:
                return ""
            return (
                f"the recorder already has {self._clip_bound} clips at hand; longer cooldowns, or a shorter "
                "post_capture or max_clip, keep them apart"
            )
        if sum(not waiting.clip for waiting in self._waiting.values()) < self._snapshot_bound:
            return ""
        return (
            f"{self._snapshot_bound} snapshots of what is on trial wait for the recorder already, and real events come "
            "first; longer cooldowns keep them apart"
        )
