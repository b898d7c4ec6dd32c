"""Which camera's frame goes to which model next: earliest deadline first within a priority, late binding.

The scheduler never holds pixels or a queue of frames. A lane that is due remembers that its camera has something new;
when an executor is about to be free, the lane that has waited longest against its deadline is asked for, and gets the
newest frame there is by then. A frame whose result could not come within the lane's budget is not started.

Prior art: timed actions and "no work that cannot meet its deadline" from Clockwork (OSDI '20); deciding apart from
doing from vLLM's scheduler. Late binding is our own: see docs/architecture.md.
"""

from collections.abc import Iterable, Mapping

from penstock.contracts.capacity import CapacityPlan
from penstock.contracts.fates import Fate
from penstock.scheduling import books, grants, resuming
from penstock.scheduling.answers import Answers
from penstock.scheduling.board import Board
from penstock.scheduling.dispatch import Dispatch
from penstock.scheduling.executors import ExecutorState
from penstock.scheduling.gathering import Gathering
from penstock.scheduling.intake import Intake
from penstock.scheduling.lane import Lane, LaneState
from penstock.scheduling.measurements import Measurements


class Scheduler:
    """See the room's docstring. Instants are monotonic nanoseconds, or media time for lossless cameras' frames."""

    def __init__(self, lanes: Iterable[Lane], executors: Iterable[ExecutorState]) -> None:
        self._board = Board(lanes, executors)
        gathering = Gathering(self._board)
        self._answers = Answers(self._board, gathering)
        # Bound, not wrapped, for these are called for every frame: see their docstrings.
        intake = Intake(self._board)
        self.offered = intake.offered
        self.offer_crops = intake.offer_crops
        self.arrived = self._answers.arrived
        self.refused = self._answers.refused
        self.finished = self._answers.finished
        self.camera_lost = self._answers.camera_lost
        self.plan = Dispatch(self._board, self._answers, gathering).plan

    # what happened to models and cameras

    def model_ready(self, model: str, camera_index: Mapping[str, int], max_batch: int = 1) -> None:
        """A model is loaded, and takes up to `max_batch` views in one call: its lanes begin with the frames after
        `camera_index` (frames decoded so far), or go on where they were."""
        queue = self._board.queues[model]
        queue.suspension.arrive()
        queue.sizes.limit(max_batch)
        for lane in self._board.by_model.get(model, ()):
            if not lane.active:
                lane.active = True
                if not lane.ledger.begun:
                    lane.last_index = camera_index.get(lane.camera, 0)
                    lane.ledger.begin(lane.last_index)

    def model_unavailable(self, model: str) -> None:
        """A model could not be loaded, or its executor is gone: its lanes' frames fail until it is ready again."""
        self._board.queues[model].suspension.leave()
        for lane in self._board.by_model.get(model, ()):
            if lane.state is LaneState.QUEUED:
                self._board.leave(lane, Fate.MODEL_FAILED)

    def set_lossless(self, camera: str, lossless: bool) -> None:
        for lane in self._board.lanes_of(camera):
            lane.lossless = lossless

    def executor_lost(self, name: str, fate: Fate, now_ns: int) -> None:
        """An executor died or was killed: what it worked on is over, its models are not there."""
        executor = self._board.executors[name]
        self._answers.executor_lost(executor, fate, now_ns)
        for model in executor.models:
            self.model_unavailable(model)

    def cancel_all(self) -> None:
        """The run ends: whatever has no fate yet is cancelled."""
        board = self._board
        board.tickets.clear()
        for executor in board.executor_list:
            executor.reset()
        for lane in board.lanes:
            board.leave(lane, Fate.CANCELLED)
            lane.end_running(Fate.CANCELLED)
            lane.state = LaneState.IDLE
            lane.ticket = 0
            lane.active = False

    # what the plan and other lanes say

    def apply(self, plan: CapacityPlan) -> None:
        """Lanes run as often as the plan grants from now on. Those that it sheds end what waits, and every frame that
        would be due at the rate they want, as `shed`. Lanes and cameras that it does not name keep what they have."""
        grants.apply(self._board, plan)

    def required(self, camera: str) -> tuple[str, ...]:
        """Signals and classes that lanes of the camera require, each once."""
        lanes = self._board.lanes_of(camera)
        return tuple(dict.fromkeys(one.signal for lane in lanes for one in lane.requires))

    def stated(self, camera: str, signal: str, from_ns: int, until_ns: int) -> None:
        """A required signal was so for captures from `from_ns` to `until_ns`: until when what states it is valid, or
        when it was last so. A later statement within this one goes on with it, and may end it earlier."""
        of = self._board.cameras.get(camera)
        if of is not None:
            of.facts.state(signal, from_ns, until_ns)

    # what ingest and others ask

    def resume_ns(self, camera: str) -> int:
        """No lane of the camera is due for a frame captured before this; 0 where that is not known. Asks that were
        planned count as answered: where one is refused, ingest must tell of the next frame all the same."""
        of = self._board.cameras.get(camera)
        return 0 if of is None else resuming.resume_ns(of.lanes, of.capture_ns)

    def snapshot(self) -> list[books.LaneSnapshot]:
        """Every lane's books."""
        return books.snapshot(self._board)

    def measurements(self) -> Measurements:
        """What models cost and what lanes need, for the capacity plan."""
        return books.measurements(self._board)

    def cost_changes(self) -> int:
        """Times that any model became clearly slower or quicker than it was: each is a reason to plan anew at once."""
        return sum(queue.changes for queue in self._board.queues.values())

    def undecided(self, camera: str, index: int) -> bool:
        """Whether any lane still waits for a view of frame `index`, or may come to: its boxes are being found."""
        of = self._board.cameras.get(camera)
        if of is None:
            return False
        for lane in of.lanes:
            if lane.candidate and lane.candidate <= index:
                return True
        for lane in of.crop_lanes:
            asked = lane.running if lane.state is LaneState.ASKED else 0
            if (lane.candidate and lane.candidate <= index) or (asked and asked <= index):
                return True
        return any(lane.running and lane.running <= index for lane in of.sources)

    def running(self) -> bool:
        """Whether any model works on a frame."""
        return any(executor.started for executor in self._board.executor_list)

    def knows(self, ticket_id: int) -> bool:
        """Whether a view or an outcome is still waited for under this ticket."""
        return ticket_id in self._board.tickets

    def busy(self, camera: str) -> bool:
        """Whether any frame of the camera has no fate yet."""
        return any(lane.in_flight for lane in self._board.lanes_of(camera))
