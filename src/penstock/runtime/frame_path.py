"""The live path inside the engine: news of a frame, an ask for its view, work for a model, its outcome, a result.

Every step is an answer to a message or to the scheduler's plan and waits for nothing; a message that cannot be sent
ends its call at once, with a fate.
"""

import logging
from collections.abc import Callable, Iterable

import msgspec

from penstock.base.clock import Clock
from penstock.contracts.messages import Ask, FrameDone, Message, Notice, Submit, ViewReady
from penstock.contracts.results import Result
from penstock.contracts.specs import LaneSpec
from penstock.contracts.traces import frame_trace_id
from penstock.contracts.work import Outcome, OutcomeStatus, Work
from penstock.framebus.trace_writers import EngineTrace, EngineTraceOff
from penstock.runtime import wiring
from penstock.runtime.calls import Call, CallBook
from penstock.runtime.cascades import Cascades
from penstock.runtime.decisions import DecisionPath
from penstock.runtime.engine_cameras import CameraBook, EngineCamera
from penstock.runtime.engine_models import ModelBook
from penstock.runtime.engine_statistics import EngineCounts
from penstock.scheduling.plan import AskFor, StartWork
from penstock.scheduling.scheduler import Scheduler

log = logging.getLogger(__name__)

_NEVER_NS = (1 << 63) - 1

SendTo = Callable[[str, Message], bool]
"""Hands a message to the process of that name; False where it is away or has no room. Never waits."""


class FramePath:
    """Frames of all cameras on their way to results. Used by the engine's loop only."""

    def __init__(
        self,
        lanes: Iterable[LaneSpec],
        *,
        lease_epoch: int,
        clock: Clock,
        scheduler: Scheduler,
        calls: CallBook,
        cameras: CameraBook,
        models: ModelBook,
        counts: EngineCounts,
        decisions: DecisionPath,
        send_to: SendTo,
        trace: EngineTrace | None = None,
    ) -> None:
        self._trace = trace or EngineTraceOff()
        self._lanes = {lane.name: lane for lane in lanes}
        self._cascades = Cascades(self._lanes.values(), scheduler, models)
        self._lease_epoch = lease_epoch
        self._clock = clock
        self._scheduler = scheduler
        self._calls = calls
        self._cameras = cameras
        self._models = models
        self._counts = counts
        self._decisions = decisions
        self._send_to = send_to

    def noticed(self, notice: Notice, now_ns: int) -> None:
        """A camera has a new frame. A lossless one holds it until its lanes can take it."""
        frame = notice.frame
        camera = self._cameras[frame.id.stream.camera]
        if camera.lossless:
            camera.notice = notice
            if not self._ready_for(camera):
                return
        else:
            camera.warn_of_delay(now_ns - frame.capture.mono_ns)
        self._hear(frame.index, notice, now_ns)

    def held_frames_again(self, now_ns: int) -> None:
        """Lanes may be ready now for what lossless cameras hold."""
        for camera in self._cameras:
            if camera.lossless and camera.notice is not None:
                self.noticed(camera.notice, now_ns)

    def ask(self, ask: AskFor, now_ns: int) -> None:
        """The scheduler wants a view, or one for each box of a frame."""
        regions = self._cascades.regions(ask.lane, ask.frame_index)
        if regions is None:
            self._scheduler.refused(ask.ticket)
            return
        message = Ask(
            ask.ticket,
            ask.camera,
            self._models.view_of(ask.model),
            ask.after_index,
            ask.deadline_ns,
            ask.frame_index,
            regions,
            self._scheduler.resume_ns(ask.camera),
            self._cascades.followed(ask.lane),
        )
        if self._send_to(self._cameras[ask.camera].ingest, message):
            self._calls.asked(ask, now_ns, regions)
        else:
            self._scheduler.refused(ask.ticket)

    def viewed(self, message: ViewReady, now_ns: int) -> None:
        """The views are here: they go to their model, alone or with others, or their leases go back."""
        frame = message.views[0].frame
        call = self._calls.take_views(message.ticket, message.views)
        self._hear(frame.index, message, now_ns)
        if call is None:
            self._scheduler.refused(message.ticket)
            return
        start = self._scheduler.arrived(message.ticket, frame.index, frame.capture.mono_ns, now_ns)
        if not self._scheduler.knows(message.ticket):
            # Too late, or nobody's any more; a batch that waited for it alone may start without it.
            self._calls.end(message.ticket)
        if start is not None:
            self.start(start, now_ns)

    def start(self, start: StartWork, now_ns: int) -> None:
        """The views of one call are together: the model gets them."""
        calls = self._calls.submit(start.work, start.tickets, now_ns)
        first = calls[0]
        frame = first.views[0].frame
        work = Work(
            work_id=start.work,
            lease_epoch=self._lease_epoch,
            model=start.model,
            lane=first.ask.lane,
            views=first.views if len(calls) == 1 else tuple(view for call in calls for view in call.views),
            deadline_ns=_NEVER_NS if self._cameras[first.ask.camera].lossless else start.deadline_ns,
            submitted_ns=now_ns,
            trace_id=frame_trace_id(frame.id.stream.session, frame.id.seq),
        )
        if not self._send_to(wiring.executor_process(start.executor), Submit(work)):
            self._calls.end_work(start.work)
            self._scheduler.finished(start.work, OutcomeStatus.CANCELLED, now_ns)

    def completed(self, outcome: Outcome, now_ns: int) -> None:
        """A model has done with a call: its leases go back, and what it says goes on to the rules.

        Outcomes of another engine's work, and of calls given up meanwhile, are dropped.
        """
        calls = self._calls.submitted(outcome.work_id)
        if outcome.lease_epoch != self._lease_epoch or not calls:
            return
        self._calls.end_work(outcome.work_id)
        if not self._scheduler.finished(outcome.work_id, outcome.status, now_ns):
            return
        if outcome.failure is not None:
            where = {"camera": ", ".join(call.ask.camera for call in calls), "model": outcome.model}
            log.warning("model failed (%s): %s", outcome.failure.cause, outcome.failure.message, extra=where)
            self._counts.failed(outcome.model, outcome.failure)
        if outcome.status is not OutcomeStatus.DONE:
            return
        self._counts.called(outcome)
        taken = 0
        for call in calls:
            results = outcome.results[taken : taken + len(call.views)]
            taken += len(call.views)
            self._take(call, outcome, self._cascades.one_result(call, results), now_ns)
        self._counts.control.record(self._clock.now_ns() - now_ns)

    def _take(self, call: Call, outcome: Outcome, result: Result, now_ns: int) -> None:
        lane = self._lanes[call.ask.lane]
        timed = not self._cameras[lane.camera].lossless
        if timed and now_ns > result.frame.capture.mono_ns + lane.budget_ns:
            result = msgspec.structs.replace(result, late=True)
        self._counts.analysed(lane.name, call, outcome, now_ns, timed=timed, late=result.late)
        self._trace.analysed(
            lane.name,
            result.frame,
            outcome,
            asked_ns=call.asked_ns,
            made_ns=call.views[-1].made_ns,
            submitted_ns=call.submitted_ns,
            taken_ns=now_ns,
            late=result.late,
        )
        self._decisions.result(lane.camera, lane.name, result, now_ns)
        self._cascades.found(lane, result, now_ns)
        self._tell_holding(lane.camera)

    def _tell_holding(self, camera: str) -> None:
        """What other lanes of the camera wait for may have become so, or ceased to be."""
        for name in self._scheduler.required(camera):
            holding = self._decisions.holding(camera, name)
            if holding is not None:
                self._scheduler.stated(camera, name, holding.last_true_ns, holding.valid_until_ns)

    def release_frames(self) -> None:
        """Lets lossless cameras decode on where every lane had what it wanted of the frame that they hold."""
        for camera in self._cameras:
            notice = camera.notice
            if not camera.lossless or notice is None or not self._ready_for(camera):
                continue
            index = notice.frame.index
            if not self._scheduler.undecided(camera.name, index) and self._send_to(
                camera.ingest, FrameDone(camera.name, index)
            ):
                camera.handed_index = index
                camera.notice = None

    def _hear(self, index: int, news: Notice | ViewReady, now_ns: int) -> None:
        frame = news.frame if isinstance(news, Notice) else news.views[0].frame
        name, capture_ns = frame.id.stream.camera, frame.capture.mono_ns
        if frame.index < self._cameras[name].last_index:
            # Boxes of a frame that was heard of before: it is no news, and not the camera's newest.
            return
        self._cameras[name].last_capture_ns = capture_ns
        self._cameras[name].last_index = frame.index
        self._cameras[name].size_px = (frame.width_px, frame.height_px)
        for heard in self._cameras[name].lanes:
            self._counts.heard(heard.name, now_ns)
        still = self._scheduler.offered(name, index, capture_ns, news.moved, now_ns, news.held_back)
        for lane in still:
            self._decisions.still(lane.camera, lane.name, capture_ns)
        if still:
            self._tell_holding(name)

    def _ready_for(self, camera: EngineCamera) -> bool:
        """A lossless camera waits until every model of its lanes is there, or known to be unavailable."""
        return self._decisions.configured and self._models.all_known(lane.model for lane in camera.lanes)
