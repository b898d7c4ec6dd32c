"""The engine process: hears of frames, decides what runs, turns results into events. Runs no model, waits for nothing.

One loop takes every message in order; after each batch the scheduler plans, and what it asks for is sent. All that is
slow happens elsewhere: views in ingest, models in executors, fsync in the journal's thread, clips in the recorder.
"""

import logging
from pathlib import Path

import msgspec

from penstock.base.clock import NS_PER_MS, NS_PER_S
from penstock.contracts.fates import Fate
from penstock.contracts.messages import (
    CameraState,
    CameraUpdate,
    ClipReport,
    Completed,
    Finished,
    HeldLeases,
    Load,
    Message,
    ModelReady,
    ModelUnavailable,
    Notice,
    ReplaceProcess,
    Unusable,
    ViewReady,
    ViewRefused,
)
from penstock.contracts.work import ModelDescription
from penstock.framebus.links import Link
from penstock.runtime import wiring
from penstock.runtime.calls import CallBook
from penstock.runtime.capacity_loop import PLAN_EVERY_NS, CapacityLoop
from penstock.runtime.cascades import crops_of_nothing
from penstock.runtime.cost_keeper import KEEP_EVERY_NS, CostKeeper
from penstock.runtime.decisions import DecisionPath
from penstock.runtime.engine_cameras import CameraBook, EngineCamera
from penstock.runtime.engine_end import EngineEnd
from penstock.runtime.engine_models import ModelBook
from penstock.runtime.engine_statistics import EngineCounts
from penstock.runtime.frame_path import FramePath
from penstock.runtime.lane_books import lane_ledgers, make_scheduler
from penstock.runtime.shell import CannotStart, Shell, processor_ns
from penstock.runtime.tracing import engine_trace
from penstock.telemetry.statistics import ProcessStatistics

log = logging.getLogger(__name__)

TICK_NS = 200 * NS_PER_MS


class EngineUnit:
    """See `runtime.shell.Unit`."""

    def __init__(self, shell: Shell) -> None:
        spec = shell.spec
        self._shell = shell
        self._clock = shell.clock
        self._links: dict[str, Link] = {}
        self._calls = CallBook()
        self._models = ModelBook(spec.lanes)
        self._executors = {executor.name: executor for executor in spec.executors}
        self._executor_of = {model.name: executor.name for executor in spec.executors for model in executor.models}
        self._lane_specs = {lane.name: lane for lane in spec.lanes}
        self._cameras = CameraBook(spec, shell.regions)
        self._trace = engine_trace(spec, shell.regions, shell.clock)
        self._ledgers = lane_ledgers(spec, shell.regions, self._trace)
        self._scheduler = make_scheduler(spec, self._ledgers)
        self._counts = EngineCounts(spec.lanes)
        self._decisions = DecisionPath(
            spec,
            lease_epoch=shell.generation,
            data_dir=Path(spec.data_dir),
            clock=shell.clock,
            send_to_recorder=lambda message: self._send_to(wiring.RECORDER, message),
            wake=shell.reactor.wake_nowait,
            trace=self._trace,
        )
        self._frames = FramePath(
            spec.lanes,
            lease_epoch=shell.generation,
            clock=shell.clock,
            scheduler=self._scheduler,
            calls=self._calls,
            cameras=self._cameras,
            models=self._models,
            counts=self._counts,
            decisions=self._decisions,
            send_to=self._send_to,
            trace=self._trace,
        )
        self._end = EngineEnd(shell.clock, shell.reactor, self._scheduler, self._calls, self._decisions)
        self._capacity = CapacityLoop(
            spec,
            self._scheduler,
            self._decisions,
            is_up=lambda camera: self._cameras[camera].state is CameraState.UP,
            is_lossless=lambda camera: self._cameras[camera].lossless,
            send_to=self._send_to,
            trace=self._trace,
        )
        self._costs = CostKeeper(spec, shell.clock, self._models)
        self._finished_told = False

    # life

    def start(self) -> None:
        shell = self._shell
        for spec in shell.spec.cameras:
            self._calls.attach(shell.regions[wiring.pool_region(spec.name)])
        for camera in self._cameras:
            self._scheduler.set_lossless(camera.name, camera.lossless)
        for lane, ledger in zip(shell.spec.lanes, self._ledgers, strict=True):
            camera = self._cameras[lane.camera]
            camera.handed_index = max(camera.handed_index, ledger.last_index)
            lost = ledger.close_after_crash()
            if lost:
                log.warning(
                    "%d frames were lost with the engine before this one",
                    lost,
                    extra={"camera": lane.camera, "model": lane.model},
                )
        earlier = shell.previous_statistics()
        if earlier is not None:
            self._counts.go_on_from(earlier)
            self._decisions.go_on_from(earlier)
        try:
            self._decisions.start()
        except OSError as error:
            raise CannotStart(
                f"the journal in {shell.spec.data_dir} cannot be written: {error.strerror or error}. "
                "Free space there, give this user the right, or choose another folder with data_dir or --data-dir"
            ) from error
        self._capacity.begin(self._costs.first_picture())
        shell.reactor.on_wake(self._decisions.take_committed)
        shell.reactor.on_cycle(self._plan)
        shell.reactor.call_every(TICK_NS, self._tick)
        shell.reactor.call_every(PLAN_EVERY_NS, self._plan_capacity)
        shell.reactor.call_every(
            KEEP_EVERY_NS, lambda: self._costs.keep(self._capacity.picture, self._cameras.sizes_px())
        )

    def attached(self, link: Link) -> None:
        self._links[link.peer] = link
        if link.peer == wiring.RECORDER:
            self._decisions.recorder_attached()
        elif cameras := self._cameras.of_ingest(link.peer):
            self._capacity.ingest_attached(link.peer)
            link.send_nowait(HeldLeases(self._calls.held(wiring.pool_region(camera.name) for camera in cameras)))

    def detached(self, link: Link) -> None:
        if self._links.get(link.peer) is not link:
            return
        del self._links[link.peer]
        self._capacity.loads.gone(link.peer)
        now_ns = self._clock.now_ns()
        for name in self._executors:
            if wiring.executor_process(name) == link.peer:
                self._executor_gone(name, Fate.LOST, now_ns)
        for camera in self._cameras.of_ingest(link.peer):
            self._scheduler.camera_lost(camera.name, Fate.LOST)
            self._change_camera(camera, CameraState.DOWN, camera.session, now_ns)

    def received(self, link: Link, message: Message) -> None:
        now_ns = self._clock.now_ns()
        match message:
            case Notice():
                self._frames.noticed(message, now_ns)
            case ViewReady():
                self._frames.viewed(message, now_ns)
            case Completed():
                self._frames.completed(message.outcome, now_ns)
                if self._capacity.replan_due(now_ns):
                    self._plan_capacity()
            case ViewRefused():
                self._calls.end(message.ticket)
                self._scheduler.refused(message.ticket)
                self._counts.views_refused += 1
            case CameraUpdate():
                self._on_camera(message, now_ns)
            case ModelReady():
                self._on_model(message.description)
            case ModelUnavailable():
                self._on_model_unavailable(message)
            case Load():
                self._capacity.loads.heard(link.peer, message)
            case ClipReport():
                self._decisions.settle(message.result)
            case _:
                log.warning("the engine does not take %s from %s", type(message).__name__, link.peer)

    def statistics(self, base: ProcessStatistics) -> ProcessStatistics:
        books = self._scheduler.snapshot()
        return msgspec.structs.replace(
            base,
            lanes=self._counts.lanes(books, self._lane_specs, self._capacity),
            rules=self._decisions.rule_statistics(),
            engine=self._counts.engine(self._shell.generation, self._decisions),
            journal=self._decisions.journal_statistics(),
            models=self._counts.models(books, self._executor_of),
            plan=self._capacity.statistics(),
            recent_events=self._decisions.recent_events(),
        )

    def stop(self, grace_ns: int) -> None:
        """Takes results that are on their way, closes the events, waits for their clips, then ends."""
        self._end.begin(grace_ns)

    def close(self) -> None:
        self._costs.keep(self._capacity.picture, self._cameras.sizes_px())
        self._decisions.stop()

    # messages

    def _on_camera(self, update: CameraUpdate, now_ns: int) -> None:
        camera = self._cameras[update.camera]
        if update.lossless != camera.lossless:
            camera.lossless = update.lossless
            self._scheduler.set_lossless(camera.name, update.lossless)
        if update.state is not CameraState.UP and update.state is not CameraState.ENDED:
            # Its newest frame is gone, so no view of it will come.
            self._scheduler.camera_lost(camera.name, Fate.CANCELLED)
        self._change_camera(camera, update.state, update.session, now_ns)

    def _change_camera(self, camera: EngineCamera, state: CameraState, session: int, now_ns: int) -> None:
        if (state, session) == (camera.state, camera.session):
            return
        camera.state = state
        camera.session = session
        if state is CameraState.ENDED:
            # What is on its way belongs before the end: told when the last lane is idle (see `_tick`).
            return
        at_ns = now_ns
        if camera.lossless and camera.last_capture_ns:
            at_ns = camera.last_capture_ns
        self._decisions.camera_state(camera.name, state, session, at_ns)

    def _on_model(self, description: ModelDescription) -> None:
        self._models.ready(description)
        self._scheduler.model_ready(description.model, self._cameras.frames_so_far(), description.max_batch)
        self._configure_rules()

    def _on_model_unavailable(self, message: ModelUnavailable) -> None:
        self._models.unavailable(message.model, message.failure.message)
        self._scheduler.model_unavailable(message.model)
        if self._models.hopeless:
            self._shell.tell_supervisor(Unusable(self._models.hopeless))
        self._configure_rules()

    def _configure_rules(self) -> None:
        """Rules are compiled once every model has said what it knows, so that a wrong class name is found."""
        if self._decisions.configured or not self._models.complete:
            return
        loaded = self._models.loaded
        error = crops_of_nothing(self._shell.spec.lanes, loaded) or self._decisions.configure(loaded)
        if error:
            self._shell.tell_supervisor(Unusable(error))
            return
        self._capacity.set_floors(self._decisions.floors())
        now_ns = self._clock.now_ns()
        for camera in self._cameras:
            if camera.state is CameraState.UP:
                self._decisions.camera_state(camera.name, camera.state, camera.session, now_ns)
        self._frames.held_frames_again(now_ns)

    def _executor_gone(self, name: str, fate: Fate, now_ns: int) -> None:
        self._scheduler.executor_lost(name, fate, now_ns)
        self._calls.end_unknown(self._scheduler.knows)
        self._models.gone(model.name for model in self._executors[name].models)

    # decisions

    def _plan(self) -> int | None:
        now_ns = self._clock.now_ns()
        plan = self._scheduler.plan(now_ns)
        took_ns = self._clock.now_ns() - now_ns
        self._counts.planned(took_ns)
        self._trace.planned(now_ns, took_ns, len(plan.ask))
        for start in plan.start:
            self._frames.start(start, now_ns)
        for ask in plan.ask:
            self._frames.ask(ask, now_ns)
        for hung in plan.hung:
            self._replace_hung(hung.executor, hung.running_ns, now_ns)
        self._frames.release_frames()
        return plan.wake_at_ns

    def _plan_capacity(self) -> None:
        self._capacity.tick(processor_ns(), self._clock.now_ns())

    def _replace_hung(self, executor: str, running_ns: int, now_ns: int) -> None:
        name = wiring.executor_process(executor)
        link = self._links.get(name)
        self._executor_gone(executor, Fate.MODEL_FAILED, now_ns)
        if link is not None:
            reason = (
                f"a call has been running for {running_ns / NS_PER_S:.1f} s, longer than hang_timeout. "
                "Where its model needs so long, raise it under executors"
            )
            self._shell.tell_supervisor(ReplaceProcess(name, link.peer_generation, reason))

    def _tick(self) -> None:
        now_ns = self._clock.now_ns()
        # An ask that was given up (no answer came, or its camera went) is over here too.
        self._calls.end_unknown(self._scheduler.knows)
        self._decisions.tell_recorder_again()
        for camera in self._cameras:
            if camera.state is CameraState.ENDED:
                if not self._scheduler.busy(camera.name):
                    at_ns = camera.last_capture_ns if camera.lossless else now_ns
                    self._decisions.camera_ended(camera.name, camera.session, at_ns)
            elif not camera.lossless:
                # Also while it is away: events whose condition stays unknown must end.
                self._decisions.tick(camera.name, now_ns)
        if not self._finished_told and self._all_ended():
            self._finished_told = True
            self._shell.tell_supervisor(Finished())

    def _all_ended(self) -> bool:
        return bool(self._shell.spec.cameras) and all(
            camera.state is CameraState.ENDED and not self._scheduler.busy(camera.name) for camera in self._cameras
        )

    # pieces

    def _send_to(self, peer: str, message: Message) -> bool:
        link = self._links.get(peer)
        return link is not None and link.send_nowait(message)
