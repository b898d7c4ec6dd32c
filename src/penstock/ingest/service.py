"""Ingest's side of the bus: tells the engine what is new, and makes the views that it asks for.

Runs in one loop thread, so that news and views of a camera leave in the order of their frames: a view is never older
than a frame the engine has heard of, and no frame is told before its session is, or after the news of its end.
"""

import logging
from collections.abc import Callable, Iterable

import msgspec

from penstock.base.clock import Clock
from penstock.contracts.frames import Lease, Location, View, ViewSpec
from penstock.contracts.messages import (
    Ask,
    Box,
    CameraLoad,
    CameraState,
    CameraUpdate,
    FrameDone,
    HeldLeases,
    Message,
    Notice,
    SetDecode,
    ViewReady,
    ViewRefused,
)
from penstock.framebus.slots import SlotAllocator
from penstock.framebus.trace_writers import IngestTrace, IngestTraceOff
from penstock.ingest.books import Word
from penstock.ingest.kept_pictures import KeptPictures
from penstock.ingest.newest import Look, Newest
from penstock.ingest.stream import StreamWorker
from penstock.ingest.views import ViewMaker

log = logging.getLogger(__name__)

Send = Callable[[Message], bool]


class ServedCamera:
    """One camera's detect stream as the service sees it.

    `crops`: some lane looks at parts of frames that another has analysed, so that their pictures are kept.
    """

    def __init__(self, worker: StreamWorker, slots: SlotAllocator, location: Location, *, crops: bool = False) -> None:
        self.worker = worker
        self.slots = slots
        self.location = location
        self.maker = ViewMaker()
        self.told_index = 0
        self.told_state: tuple[CameraState, int] | None = None
        self.made: dict[ViewSpec, View] = {}
        self.kept = KeptPictures(crops)
        self.views = 0
        self.view_ns = 0
        """processor time of making them"""


class IngestService:
    """All cameras of one ingest process. `send` is replaced whenever the engine is."""

    def __init__(self, cameras: Iterable[ServedCamera], clock: Clock, trace: IngestTrace | None = None) -> None:
        self._trace = trace or IngestTraceOff()
        self._cameras = {camera.worker.spec.camera: camera for camera in cameras}
        self._clock = clock
        self._send: Send | None = None
        self._ended = False

    def connect(self, send: Send) -> None:
        """A new engine: it has heard of nothing yet, and says first which leases it holds."""
        if self._ended:
            return
        self._send = send
        for camera in self._cameras.values():
            camera.told_index = 0
            camera.told_state = None
            camera.worker.newest.begin_again()
        self.tell_news()

    def disconnect(self) -> None:
        """The engine is gone: its leases come back when the next one says what it holds."""
        self._send = None

    def end(self) -> None:
        """The run ends: says of every camera that no more will come of it, and tells nothing after that.

        So the engine can tell an orderly end from a crash: what waits for a view is cancelled, not lost.
        """
        self._ended = True
        send, self._send = self._send, None
        if send is None:
            return
        for camera in self._cameras.values():
            worker = camera.worker
            session, now_ns = worker.phase().session, self._clock.now_ns()
            send(CameraUpdate(worker.spec.camera, CameraState.DOWN, session, now_ns, "the run ends", worker.lossless))

    def tell_news(self) -> None:
        """Sends each camera's state where it has changed, and its newest frame where it is new."""
        if self._send is None:
            return
        for camera in self._cameras.values():
            self._tell_newest(camera, self._send)

    def handle(self, message: Message) -> None:
        """Does what the engine asks; a message about a camera that is not ours is ignored."""
        match message:
            case Ask():
                self._answer(message)
            case SetDecode():
                camera = self._cameras.get(message.camera)
                if camera is not None:
                    camera.worker.set_decode(message.policy)
                    if camera.worker.newest.resume_at(0):
                        self.tell_news()
            case FrameDone():
                camera = self._cameras.get(message.camera)
                if camera is not None:
                    camera.worker.handed_over(message.index)
            case HeldLeases():
                for camera in self._cameras.values():
                    freed = camera.slots.reclaim(message.leases)
                    if freed:
                        where = {"camera": camera.worker.spec.camera}
                        log.info("%d slots of an ended process are free again", freed, extra=where)
            case _:
                log.warning("ingest does not understand %s", type(message).__name__)

    def loads(self) -> tuple[CameraLoad, ...]:
        """What each camera has taken of the processor in this process."""
        return tuple(
            msgspec.structs.replace(camera.worker.load(), views=camera.views, view_ns=camera.view_ns)
            for camera in self._cameras.values()
        )

    def _look(self, camera: ServedCamera, send: Send) -> Look | None:
        """The camera's newest frame, once the engine knows that its session is up; None where there is none.

        In this order: the state read after the frame is that of the frame's session, or a later one.
        """
        look = camera.worker.newest.look()
        phase = camera.worker.phase()
        state = (phase.state, phase.session)
        if state != camera.told_state:
            camera.kept.clear()
            update = CameraUpdate(
                camera=camera.worker.spec.camera,
                state=phase.state,
                session=phase.session,
                at_ns=self._clock.now_ns(),
                reason=phase.reason,
                lossless=camera.worker.lossless,
            )
            if send(update):
                camera.told_state = state
        if look.newest is None or camera.told_state != (CameraState.UP, look.newest.ref.id.stream.session):
            return None
        return look

    def _tell_newest(self, camera: ServedCamera, send: Send) -> None:
        look = self._look(camera, send)
        if look is None or look.newest is None or not look.due or look.newest.ref.index <= camera.told_index:
            return
        if send(Notice(look.newest.ref, look.moved, look.held_back)):
            self._told(camera, look)
        else:
            camera.worker.books.count(Word.NOTICES_REFUSED)

    def _told(self, camera: ServedCamera, look: Look) -> None:
        assert look.newest is not None
        camera.told_index = look.newest.ref.index
        camera.worker.newest.told(look)

    def _answer(self, ask: Ask) -> None:
        send = self._send
        if send is None:
            return
        camera = self._cameras.get(ask.camera)
        if camera is None:
            send(ViewRefused(ask.ticket, ask.camera, "no newer frame"))
            return
        # A lossless camera's frames wait for their lanes, so that all of them are told.
        untold = not camera.worker.lossless and camera.worker.newest.resume_at(ask.resume_ns)
        look = self._look(camera, send)
        if ask.frame_index:
            self._answer_exactly(camera, look, ask, send)
        elif not self._answer_newest(camera, look, ask, send) and not camera.worker.lossless:
            # The lane that asked waits for the next frame, whenever it comes.
            untold = camera.worker.newest.resume_at(0) or untold
        if untold:
            self._tell_newest(camera, send)

    def _answer_newest(self, camera: ServedCamera, look: Look | None, ask: Ask, send: Send) -> bool:
        """Whether the view of the newest frame was handed over."""
        if look is None or look.newest is None or look.newest.ref.index <= ask.after_index:
            send(ViewRefused(ask.ticket, ask.camera, "no newer frame"))
            return False
        views = self._views(camera, look.newest, ask)
        if not views:
            return False
        if not self._hand_over(camera, ask, ViewReady(ask.ticket, views, look.moved, look.held_back), send):
            return False
        if ask.keep:
            camera.kept.keep(look.newest)
        self._told(camera, look)
        return True

    def _answer_exactly(self, camera: ServedCamera, look: Look | None, ask: Ask, send: Send) -> None:
        """A view of a frame that was told before: it is no news, and the newest frame stays to be told."""
        newest = look.newest if look is not None else None
        if newest is not None and newest.ref.index != ask.frame_index:
            newest = camera.kept.find(ask.frame_index)
        if newest is None:
            self._refuse(camera, ask, "the frame is gone")
            return
        views = self._views(camera, newest, ask)
        if views:
            self._hand_over(camera, ask, ViewReady(ask.ticket, views, moved=False), send)

    def _hand_over(self, camera: ServedCamera, ask: Ask, answer: ViewReady, send: Send) -> bool:
        """Sends the answer; where there is no room for it, the slots that nobody else has are free again."""
        shared = camera.made.get(ask.spec)
        if send(answer):
            if not ask.regions:
                camera.made[ask.spec] = answer.views[0]
            return True
        for view in answer.views:
            if view is not shared:
                camera.slots.abandon(view.lease)
        camera.worker.books.count(Word.VIEWS_REFUSED)
        return False

    def _views(self, camera: ServedCamera, newest: Newest, ask: Ask) -> tuple[View, ...]:
        """What is asked for of this frame, whole: none, and refused, where any of it cannot be had."""
        if not ask.regions:
            shared = self._shared(camera, newest, ask.spec)
            if shared is not None:
                return (shared,)
        slots: list[tuple[Lease, memoryview]] = []
        boxes: tuple[Box | None, ...] = ask.regions or (None,)
        for _ in boxes:
            slot = camera.slots.acquire_nowait()
            if slot is None:
                self._abandon(camera, [lease for lease, _ in slots])
                self._refuse(camera, ask, "no free slot")
                return ()
            slots.append(slot)
        begun_ns = self._clock.now_ns()
        began_ns = self._clock.thread_cpu_ns()
        try:
            views = tuple(
                self._make(camera, newest, ask.spec, box, lease, memory)
                for box, (lease, memory) in zip(boxes, slots, strict=True)
            )
        except Exception as error:
            # FFmpeg refuses formats that it cannot scale; the model's lane hears of it, the camera goes on.
            self._abandon(camera, [lease for lease, _ in slots])
            log.warning("no view could be made: %s", error, extra={"camera": ask.camera})
            self._refuse(camera, ask, str(error))
            return ()
        camera.view_ns += self._clock.thread_cpu_ns() - began_ns
        self._trace.view(newest.ref, begun_ns, begun_ns, views[-1].made_ns, len(views))
        camera.views += len(views)
        camera.worker.books.count(Word.VIEWS, len(views))
        return views

    def _shared(self, camera: ServedCamera, newest: Newest, spec: ViewSpec) -> View | None:
        """The view that another lane has of this very frame, while it is leased."""
        made = camera.made.get(spec)
        if made is not None and made.frame.index == newest.ref.index and camera.slots.is_leased(made.lease):
            return made
        return None

    def _make(
        self, camera: ServedCamera, newest: Newest, spec: ViewSpec, box: Box | None, lease: Lease, memory: memoryview
    ) -> View:
        plane, to_source, matrix, full_range = camera.maker.make(newest.picture, spec, memory, box)
        return View(
            frame=newest.ref,
            spec=spec,
            lease=lease,
            location=camera.location,
            device="cpu",
            planes=(plane,),
            to_source=to_source,
            matrix=matrix,
            full_range=full_range,
            made_ns=self._clock.now_ns(),
        )

    def _abandon(self, camera: ServedCamera, leases: Iterable[Lease]) -> None:
        for lease in leases:
            camera.slots.abandon(lease)

    def _refuse(self, camera: ServedCamera, ask: Ask, reason: str) -> None:
        camera.worker.books.count(Word.VIEWS_REFUSED)
        if self._send is not None:
            self._send(ViewRefused(ask.ticket, ask.camera, reason))
