"""Ingest's side of the bus: tells the engine what is new, and makes the views that it asks for.

Runs in one loop thread, so that news and views of a camera leave in the order of their frames: a view is never older
than a frame the engine has heard of, and no frame is told before its session is, or after the news of its end.
"""

import logging
from collections.abc import Callable, Iterable

from penstock.base.clock import Clock
from penstock.contracts.frames import Location, View, ViewSpec
from penstock.contracts.messages import (
    Ask,
    CameraState,
    CameraUpdate,
    FrameDone,
    HeldLeases,
    Message,
    Notice,
    ViewReady,
    ViewRefused,
)
from penstock.framebus.slots import SlotAllocator
from penstock.ingest.books import Word
from penstock.ingest.newest import Newest
from penstock.ingest.status import StreamStatus
from penstock.ingest.stream import StreamWorker
from penstock.ingest.views import ViewMaker

log = logging.getLogger(__name__)

Send = Callable[[Message], bool]


class ServedCamera:
    """One camera's detect stream as the service sees it."""

    def __init__(self, worker: StreamWorker, slots: SlotAllocator, location: Location) -> None:
        self.worker = worker
        self.slots = slots
        self.location = location
        self.maker = ViewMaker()
        self.told_index = 0
        self.told_state: tuple[CameraState, int] | None = None
        self.made: dict[ViewSpec, View] = {}


class IngestService:
    """All cameras of one ingest process. `send` is replaced whenever the engine is."""

    def __init__(self, cameras: Iterable[ServedCamera], clock: Clock) -> None:
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

    def statuses(self) -> list[StreamStatus]:
        return [camera.worker.status() for camera in self._cameras.values()]

    def _look(self, camera: ServedCamera, send: Send) -> tuple[Newest | None, bool]:
        """The camera's newest frame, once the engine knows that its session is up, and whether anything moved.

        In this order: the state read after the frame is that of the frame's session, or a later one.
        """
        newest, moved = camera.worker.newest.look()
        phase = camera.worker.phase()
        state = (phase.state, phase.session)
        if state != camera.told_state:
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
        if newest is None or camera.told_state != (CameraState.UP, newest.ref.id.stream.session):
            return None, moved
        return newest, moved

    def _tell_newest(self, camera: ServedCamera, send: Send) -> None:
        newest, moved = self._look(camera, send)
        if newest is None or newest.ref.index <= camera.told_index:
            return
        if send(Notice(newest.ref, moved)):
            self._told(camera, newest)
        else:
            camera.worker.books.count(Word.NOTICES_REFUSED)

    def _told(self, camera: ServedCamera, newest: Newest) -> None:
        camera.told_index = newest.ref.index
        camera.worker.newest.moved_told(newest.ref.index)

    def _answer(self, ask: Ask) -> None:
        send = self._send
        if send is None:
            return
        camera = self._cameras.get(ask.camera)
        newest, moved = self._look(camera, send) if camera is not None else (None, False)
        if camera is None or newest is None or newest.ref.index <= ask.after_index:
            send(ViewRefused(ask.ticket, ask.camera, "no newer frame"))
            return
        shared = self._shared(camera, newest, ask.spec)
        view = shared or self._make(camera, newest, ask)
        if view is None:
            return
        if send(ViewReady(ask.ticket, (view,), moved)):
            camera.made[ask.spec] = view
            self._told(camera, newest)
            return
        if shared is None:
            camera.slots.abandon(view.lease)
        camera.worker.books.count(Word.VIEWS_REFUSED)

    def _shared(self, camera: ServedCamera, newest: Newest, spec: ViewSpec) -> View | None:
        """The view that another lane has of this very frame, while it is leased."""
        made = camera.made.get(spec)
        if made is not None and made.frame.index == newest.ref.index and camera.slots.is_leased(made.lease):
            return made
        return None

    def _make(self, camera: ServedCamera, newest: Newest, ask: Ask) -> View | None:
        slot = camera.slots.acquire_nowait()
        if slot is None:
            self._refuse(camera, ask, "no free slot")
            return None
        lease, memory = slot
        try:
            plane, to_source, matrix, full_range = camera.maker.make(newest.picture, ask.spec, memory)
        except Exception as error:
            # FFmpeg refuses formats that it cannot scale; the model's lane hears of it, the camera goes on.
            camera.slots.abandon(lease)
            log.warning("no view could be made: %s", error, extra={"camera": ask.camera})
            self._refuse(camera, ask, str(error))
            return None
        camera.worker.books.count(Word.VIEWS)
        return View(
            frame=newest.ref,
            spec=ask.spec,
            lease=lease,
            location=camera.location,
            device="cpu",
            planes=(plane,),
            to_source=to_source,
            matrix=matrix,
            full_range=full_range,
            made_ns=self._clock.now_ns(),
        )

    def _refuse(self, camera: ServedCamera, ask: Ask, reason: str) -> None:
        camera.worker.books.count(Word.VIEWS_REFUSED)
        if self._send is not None:
            self._send(ViewRefused(ask.ticket, ask.camera, reason))
