"""The cameras' side of a simulated host: what is told of frames and when, which frame a view is made of, and cameras
that go and come back.

Frames that no lane is due for are passed over and counted with the next news. A live ingest learns only with the next
ask until when nobody is due; here it knows at once, which saves messages that cost nothing else.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any, Protocol

from penstock.contracts.fates import Fate
from penstock.contracts.messages import CameraState
from penstock.scheduling.lane import Lane
from penstock.scheduling.plan import AskFor
from penstock.scheduling.scheduler import Scheduler
from penstock.testkit.chance_tables import MASK, ChanceTables
from penstock.testkit.host_model import NS_PER_S, HostModel
from penstock.testkit.processor import Processor
from penstock.testkit.simulated_cameras import SimulatedCamera
from penstock.testkit.simulated_executor import AskedView
from penstock.testkit.simulated_findings import Findings
from penstock.testkit.simulated_rules import SimulatedRules


class Host(Protocol):
    """What this side needs of the host that it belongs to."""

    model: HostModel
    seed: int | str
    now_ns: int
    processor: Processor
    scheduler: Scheduler
    rules: SimulatedRules
    findings: Findings

    @property
    def cameras(self) -> Mapping[str, SimulatedCamera]: ...

    @property
    def lanes(self) -> Sequence[Lane]: ...

    def at(self, at_ns: int, happen: Callable[[Any, int], bool], subject: object) -> None: ...

    def retime(self, before: float, now_ns: int) -> None: ...


class CameraSide:
    """All cameras and ingest processes of one host."""

    def __init__(self, host: Host, tables: ChanceTables) -> None:
        self._host = host
        self._scheduler = host.scheduler
        self._specs = host.model.lanes
        self._number_of = {lane.name: lane.number for lane in host.lanes}
        model, hops = host.model, host.model.hops
        self._hop_ns = model.hop_ns
        self._ask_hop = cycle((model.hop_ns,) if hops is None else hops.ask_ns)
        self._view_hop = cycle((model.hop_ns,) if hops is None else hops.view_ns)
        self._making = None if hops is None else cycle(hops.making_ns)
        self._making_ns = tables.log_normal_ns(model.view_ns, model.view_sigma)
        self._views_made = 0
        self._flow = 0.0

    def begin(self) -> None:
        """Has every camera come, go and return at its time."""
        host = self._host
        for name, camera in host.cameras.items():
            spec = camera.model
            phase_ns = spec.phase_ns
            if phase_ns is None:
                chance = random.Random(f"phase {host.seed} {name}")
                phase_ns = chance.randrange(host.model.start_spread_ns) + spec.jitter_ns
            host.at(phase_ns, self._on_on, camera)
            for from_ns, until_ns in spec.outages:
                host.at(from_ns, self._on_off, camera)
                if until_ns - from_ns > spec.stall_timeout_ns:
                    host.at(from_ns + spec.stall_timeout_ns, self._on_down, camera)
                host.at(until_ns, self._on_on, camera)

    # frames

    def await_frame(self, camera: SimulatedCamera, resume_ns: int | None = None) -> None:
        """The next frame that somebody may be due for; those before it are passed over. Where it was decoded long ago,
        because somebody is due earlier than was known, the newest one takes its place."""
        if resume_ns is None:
            resume_ns = self._scheduler.resume_ns(camera.model.name)
        arrivals = camera.arrivals
        index = arrivals.first_captured(resume_ns, camera.told_index)
        if index and index != camera.awaited_index:
            at_ns = arrivals.decoded_ns(index) + self._hop_ns
            now_ns = self._host.now_ns
            if at_ns < now_ns:
                at_ns = now_ns
                index = max(index, arrivals.newest_at(now_ns - self._hop_ns))
            if index != camera.awaited_index:
                self._host.at(at_ns, self._on_frame, (camera, index, camera.epoch, False))
        camera.awaited_index = index

    def make_view(self, ask: AskFor, now_ns: int) -> tuple[int, AskedView]:
        """Ingest takes the newest frame when it is free to make the view; when the engine has it, or the refusal."""
        host = self._host
        camera = host.cameras[ask.camera]
        view = AskedView(ask.ticket, self._number_of[ask.lane], camera, now_ns)
        ingest = camera.ingest
        begin_ns = max(now_ns + next(self._ask_hop), ingest.free_at_ns)
        arrivals = camera.arrivals
        if ask.frame_index:
            view.views, view.capture_ns, view.decoded_ns = host.findings.frame_of(ask.lane, ask.frame_index)
            index = ask.frame_index if view.views else 0
        else:
            index = arrivals.newest_at(begin_ns)
        if index <= ask.after_index or index <= camera.newest_session_index:
            return begin_ns + next(self._view_hop), view
        if not ask.frame_index:
            view.capture_ns, view.decoded_ns = arrivals.capture_ns(index), arrivals.decoded_ns(index)
        view.index = index
        self._views_made += view.views
        making_ns = self._making_ns[ask.ticket & MASK] if self._making is None else next(self._making)
        made_ns = begin_ns + round(view.views * making_ns / host.processor.speed)
        ingest.free_at_ns = view.made_ns = made_ns
        return made_ns + next(self._view_hop), view

    def heard(self, view: AskedView, now_ns: int) -> bool:
        """A view reaches the engine, and with it the news of its frame; False for a refusal."""
        camera = view.camera
        if not view.index or camera.session != view.session:
            return False
        if view.index > camera.told_index:
            self._hear(camera, view.index, view.capture_ns, now_ns)
        view.moving = camera.moves_at(view.capture_ns)
        return True

    def _on_frame(self, subject: tuple[SimulatedCamera, int, int, bool], now_ns: int) -> bool:
        camera, index, epoch, waited = subject
        if index != camera.awaited_index or epoch != camera.epoch:
            return False
        name = camera.model.name
        capture_ns = camera.arrivals.capture_ns(index)
        resume_ns = self._scheduler.resume_ns(name)
        if index <= camera.told_index or capture_ns < resume_ns:
            self.await_frame(camera, resume_ns)
            return False
        free_at_ns = camera.ingest.free_at_ns
        if free_at_ns > now_ns and not waited:
            # A view is being made: the news leaves after it.
            self._host.at(free_at_ns + self._hop_ns, self._on_frame, (camera, index, epoch, True))
            return False
        still = self._hear(camera, index, capture_ns, now_ns)
        self.await_frame(camera)
        return still < camera.lanes

    def _hear(self, camera: SimulatedCamera, index: int, capture_ns: int, now_ns: int) -> int:
        """News of a frame reaches the engine; how many lanes it was gated for."""
        name = camera.model.name
        moved = camera.moved_until(capture_ns)
        held_back = index - camera.told_index - 1
        camera.told_index = index
        still = self._scheduler.offered(name, index, capture_ns, moved, now_ns, held_back)
        if still:
            host = self._host
            ruled = name in host.rules.cameras
            for lane in still:
                if ruled:
                    host.rules.still(name, lane.name, capture_ns, now_ns)
                host.findings.still(lane, self._specs[lane.number], capture_ns)
        return len(still)

    # cameras

    def _on_off(self, camera: SimulatedCamera, now_ns: int) -> bool:
        camera.end(now_ns)
        self.await_frame(camera)
        self._weigh(now_ns)
        return False

    def _on_down(self, camera: SimulatedCamera, now_ns: int) -> bool:
        name = camera.model.name
        self._scheduler.camera_lost(name, Fate.CANCELLED)
        self._host.rules.camera_state(name, CameraState.DOWN, camera.session, now_ns)
        camera.begin_session(now_ns)
        return True

    def _on_on(self, camera: SimulatedCamera, now_ns: int) -> bool:
        camera.begin(now_ns)
        self._weigh(now_ns)
        self._host.rules.camera_state(camera.model.name, CameraState.UP, camera.session, now_ns)
        self.await_frame(camera)
        return False

    # processor time

    def measure(self, control_ns: int, now_ns: int) -> None:
        """What views and control work took in the last second goes on in the next; decoding that was short of time
        makes frames late."""
        processor = self._host.processor
        self._flow = (self._views_made * self._host.model.view_ns + control_ns) / NS_PER_S
        self._views_made = 0
        stretched = processor.stretched(now_ns)
        for camera in self._host.cameras.values():
            camera.arrivals.lag_ns = round(camera.model.unit_ns * stretched)
        self._weigh(now_ns)

    def _weigh(self, now_ns: int) -> None:
        """What takes processor time beside calls from now on."""
        host = self._host
        decoding = sum([camera.decode_cores for camera in host.cameras.values()])
        before = host.processor.speed
        if host.processor.set_steady(host.model.fixed + self._flow + decoding, now_ns):
            host.retime(before, now_ns)
