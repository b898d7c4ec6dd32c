"""What all parts of the scheduler look at: lanes by camera and model, executors, tickets; and who waits for what."""

from collections.abc import Iterable

from penstock.contracts.fates import Fate
from penstock.scheduling.calls import Call
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.lane import Lane, LaneState
from penstock.scheduling.model_queue import ModelQueue
from penstock.scheduling.requirement import Facts


class CameraLanes:
    """The lanes of one camera, and what is known of its frames."""

    __slots__ = ("capture_ns", "crop_lanes", "delay_ns", "facts", "lanes", "sources")

    def __init__(self, lanes: list[Lane]) -> None:
        self.lanes = [lane for lane in lanes if lane.crops is None]
        """those that hear of every frame"""
        self.crop_lanes = [lane for lane in lanes if lane.crops is not None]
        found_by = {lane.crops.of for lane in lanes if lane.crops is not None}
        self.sources = [lane for lane in lanes if lane.model in found_by]
        """those whose boxes the crop lanes wait for"""
        self.facts = Facts()
        self.capture_ns = 0
        """of the newest frame heard of"""
        self.delay_ns = 0
        """from its capture to when it was heard of"""


class Board:
    """State and the few moves that every part makes."""

    def __init__(self, lanes: Iterable[Lane], executors: Iterable[ExecutorState]) -> None:
        self.lanes = list(lanes)
        self.by_name = {lane.name: lane for lane in self.lanes}
        self.executors = {executor.name: executor for executor in executors}
        self.executor_list = list(self.executors.values())
        self.queues: dict[str, ModelQueue] = {
            model: queue for executor in self.executor_list for model, queue in executor.models.items()
        }
        self.tickets: dict[int, Call] = {}
        self.last_ticket = 0
        self.by_model: dict[str, list[Lane]] = {}
        of_camera: dict[str, list[Lane]] = {}
        for lane in self.lanes:
            lane.queue = self.queues[lane.model]
            lane.queue.used = True
            self.by_model.setdefault(lane.model, []).append(lane)
            of_camera.setdefault(lane.camera, []).append(lane)
        self.cameras = {name: CameraLanes(of) for name, of in of_camera.items()}

    def lanes_of(self, camera: str) -> list[Lane]:
        """All lanes of the camera, those that look at crops last."""
        of = self.cameras.get(camera)
        return [] if of is None else [*of.lanes, *of.crop_lanes]

    def wait(self, lane: Lane) -> None:
        """The lane's candidate waits for its model."""
        lane.state = LaneState.QUEUED
        lane.queue.push(lane)

    def leave(self, lane: Lane, fate: Fate) -> None:
        """The lane waits no longer; its entry in the queue goes stale by its token. Also of a lane that is asked for
        or runs: only its candidate ends."""
        if lane.state is LaneState.QUEUED:
            lane.state = LaneState.IDLE
            lane.queue.leave(lane)
        lane.drop_candidate(fate)

    def rest(self, lane: Lane) -> None:
        """The lane's ask or call is over."""
        lane.state = LaneState.IDLE
        lane.ticket = 0
        if lane.candidate:
            self.wait(lane)
