"""The recorder process: reads the rings, cuts the clips that the engine asks for, and says what became of them."""

import logging
from pathlib import Path

import msgspec

from penstock import __version__
from penstock.base.clock import NS_PER_S
from penstock.base.queues import BoundedQueue
from penstock.contracts.clips import ClipResult
from penstock.contracts.events import EvidenceState
from penstock.contracts.identity import Role
from penstock.contracts.messages import ClipReport, EndClip, FinishClips, Message, OpenClip
from penstock.contracts.ring import PacketReader
from penstock.contracts.specs import CameraSpec
from penstock.evidence.recorder import CameraFeed, Recorder
from penstock.framebus.links import Link
from penstock.framebus.ring import RingReader
from penstock.runtime import wiring
from penstock.runtime.shell import Shell
from penstock.telemetry.statistics import ProcessStatistics, RecorderStatistics

log = logging.getLogger(__name__)

_REPORT_BOUND = 256
_RETRY_NS = NS_PER_S // 5


class RecorderUnit:
    """See `runtime.shell.Unit`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._engine: Link | None = None
        self._reports: BoundedQueue[ClipResult] = BoundedQueue(_REPORT_BOUND)
        self._unsent: ClipResult | None = None
        self._recorder = Recorder(
            Path(shell.spec.data_dir),
            {camera.name: self._feed(camera) for camera in shell.spec.cameras},
            shell.clock,
            self._on_result,
            software=f"penstock {__version__}",
        )

    def start(self) -> None:
        self._shell.reactor.on_wake(self._tell_results)
        self._shell.reactor.call_every(_RETRY_NS, self._tell_results)
        self._recorder.start()

    def attached(self, link: Link) -> None:
        self._engine = link

    def detached(self, link: Link) -> None:
        if self._engine is link:
            self._engine = None

    def received(self, link: Link, message: Message) -> None:
        del link
        match message:
            case OpenClip():
                self._recorder.submit_nowait(message.job)
            case EndClip():
                self._recorder.end_nowait(message.end)
            case FinishClips():
                self._recorder.stop()
                self._tell_results()
            case _:
                log.warning("the recorder does not take %s", type(message).__name__)

    def statistics(self, base: ProcessStatistics) -> ProcessStatistics:
        counts = self._recorder.statistics()
        recorder = RecorderStatistics(
            jobs=counts.accepted,
            jobs_active=counts.jobs,
            jobs_refused=counts.refused,
            clips={
                EvidenceState.READY.value: counts.clips_ready,
                EvidenceState.FAILED.value: counts.clips_failed,
                EvidenceState.REFUSED.value: counts.refused,
            },
            snapshots={
                EvidenceState.READY.value: counts.snapshots_ready,
                EvidenceState.FAILED.value: counts.snapshots_failed,
                EvidenceState.REFUSED.value: counts.snapshots_refused,
            },
            written_bytes=counts.bytes_written,
            lapped=counts.lapped,
        )
        return msgspec.structs.replace(base, recorder=recorder)

    def stop(self, grace_ns: int) -> None:
        del grace_ns
        self._recorder.stop()
        self._tell_results()
        self._shell.done()

    def close(self) -> None:
        self._recorder.stop()

    def _feed(self, camera: CameraSpec) -> CameraFeed:
        return CameraFeed(camera.record, self._reader(camera, Role.RECORD), self._reader(camera, Role.DETECT))

    def _reader(self, camera: CameraSpec, role: Role) -> PacketReader | None:
        number = wiring.stream_number(camera, role)
        if number is None:
            return None
        return RingReader(self._shell.regions[wiring.ring_region(camera.name, number)])

    def _on_result(self, result: ClipResult) -> None:
        """From the recorder's thread. A report that finds no room is asked for again by the next engine."""
        self._reports.put_nowait(result)
        self._shell.reactor.wake_nowait()

    def _tell_results(self) -> None:
        """Hands on what is reported, in order. Without an engine it is dropped: the next one asks again."""
        while (result := self._unsent or self._reports.get_nowait()) is not None:
            self._unsent = None
            if self._engine is not None and not self._engine.send_nowait(ClipReport(result)):
                self._unsent = result
                return
