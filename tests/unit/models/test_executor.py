"""The executor answers every piece of work once, names every failure, and shows what runs."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.frames import PixelFormat, View, ViewSpec
from penstock.contracts.results import Detection, Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import Failure, FailureCause, ModelDescription, Outcome, OutcomeStatus, Work
from penstock.models.errors import output_error
from penstock.models.executor import ModelExecutor
from penstock.models.executor_statistics import RunningCall
from penstock.models.model import LoadModel, Model, Pixels
from penstock.testkit.models import FailingModel, HangingModel, LatencyModel, ScriptedModel, loader
from penstock.testkit.views import ArrayViews, frame_ref

PATIENCE_S = 20.0
"""how long a test waits before it fails; nothing takes anywhere near it"""
PERSON = Detection((1.0, 2.0, 3.0, 4.0), 0.5, 0, "person")
SCRIPT = {7: (PERSON,)}
START_NS = 1_000_000_000_000
LATER_NS = START_NS + 500_000_000


class Bench:
    """An executor with one owner, who counts the wake-ups."""

    def __init__(
        self, clock: SimulatedClock, *models: Model, streams: int = 1, load: LoadModel | None = None, extra: str = ""
    ) -> None:
        self.clock = clock
        self.views = ArrayViews()
        self.loaded: list[tuple[str, ModelDescription | Failure]] = []
        self._woken = threading.Semaphore(0)
        names = [model.description.model for model in models] + ([extra] if extra else [])
        self.executor = ModelExecutor(
            name="cpu",
            device="cpu",
            models=tuple(ModelSpec(name) for name in names),
            streams=streams,
            reader=self.views,
            clock=clock,
            on_completed=self._woken.release,
            on_loaded=lambda name, told: self.loaded.append((name, told)),
            load=load or loader(*models),
        )

    def start(self) -> "Bench":
        self.executor.start()
        assert self.executor.wait_loaded(PATIENCE_S)
        return self

    def work(self, work_id: int, model: str = "scripted", deadline_ns: int = LATER_NS, frames: int = 1) -> Work:
        views = tuple(self.views.blank(frame_ref("door", seq=7 + i)) for i in range(frames))
        return Work(work_id, 3, model, f"door/{model}", views, deadline_ns, self.clock.now_ns(), attempt=2)

    def submit(self, work_id: int, model: str = "scripted", deadline_ns: int = LATER_NS) -> bool:
        return self.executor.submit_nowait(self.work(work_id, model, deadline_ns))

    def wait_outcomes(self, count: int) -> list[Outcome]:
        taken: list[Outcome] = []
        while len(taken) < count:
            assert self._woken.acquire(timeout=PATIENCE_S), f"only {taken} came"
            taken.extend(self.executor.completed_nowait())
        return taken


@pytest.fixture
def bench(clock: SimulatedClock) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(
        *models: Model, streams: int = 1, load: LoadModel | None = None, extra: str = "", start: bool = True
    ) -> Bench:
        made.append(Bench(clock, *models, streams=streams, load=load, extra=extra))
        return made[-1].start() if start else made[-1]

    yield make
    for each in made:
        each.executor.stop()


def test_a_result_with_its_times(bench: Callable[..., Bench], clock: SimulatedClock) -> None:
    b = bench(LatencyModel(ScriptedModel("scripted", SCRIPT), clock, latency_s=0.03))
    work = b.work(11)
    assert b.executor.submit_nowait(work)
    [outcome] = b.wait_outcomes(1)
    [result] = outcome.results
    assert result.detections is not None
    assert list(result.detections.detections()) == [PERSON]
    assert (result.frame, result.late) == (work.views[0].frame, False)
    assert outcome == Outcome(
        work_id=11,
        lease_epoch=3,
        model="scripted",
        status=OutcomeStatus.DONE,
        device="cpu",
        attempt=2,
        results=(result,),
        received_ns=START_NS,
        started_ns=START_NS,
        finished_ns=START_NS + 30_000_000,
        compute_ns=30_000_000,
    )
    statistics = b.executor.statistics()
    assert (statistics.done, statistics.late, statistics.busy_ns) == (1, 0, (30_000_000,))


def test_waiting_inside_the_executor_is_told_apart(bench: Callable[..., Bench], clock: SimulatedClock) -> None:
    hanging = HangingModel(ScriptedModel("scripted", SCRIPT))
    b = bench(hanging)
    assert b.submit(1)
    assert hanging.wait_entered(PATIENCE_S)
    clock.advance(5_000_000)
    assert b.submit(2)
    clock.advance(40_000_000)
    hanging.release()
    first, second = b.wait_outcomes(2)
    assert (first.queue_ns, first.compute_ns) == (0, 45_000_000)
    assert (second.received_ns, second.queue_ns, second.compute_ns) == (START_NS + 5_000_000, 40_000_000, 0)


def test_results_come_in_the_order_of_views(bench: Callable[..., Bench]) -> None:
    b = bench(ScriptedModel("scripted", SCRIPT, scalars={8: {"level": 0.25}}))
    assert b.executor.submit_nowait(b.work(1, frames=2))
    [outcome] = b.wait_outcomes(1)
    assert [(r.frame.id.seq, r.scalars) for r in outcome.results] == [(7, {}), (8, {"level": 0.25})]


def test_what_ends_after_its_deadline_is_late(bench: Callable[..., Bench], clock: SimulatedClock) -> None:
    b = bench(LatencyModel(ScriptedModel("scripted", SCRIPT), clock, latency_s=0.6))
    assert b.submit(1)
    [outcome] = b.wait_outcomes(1)
    assert (outcome.status, outcome.results[0].late) == (OutcomeStatus.DONE, True)
    assert (b.executor.statistics().done, b.executor.statistics().late) == (1, 1)


@pytest.mark.parametrize(("deadline_ns", "status"), [(START_NS, "expired"), (START_NS + 1, "done")])
def test_work_that_cannot_start_before_its_deadline_expires(
    bench: Callable[..., Bench], deadline_ns: int, status: str
) -> None:
    b = bench(ScriptedModel("scripted", SCRIPT))
    assert b.submit(1, deadline_ns=deadline_ns)
    [outcome] = b.wait_outcomes(1)
    assert (outcome.status, outcome.started_ns) == (status, 0 if status == "expired" else START_NS)


def test_work_whose_deadline_passes_while_it_waits_expires(bench: Callable[..., Bench], clock: SimulatedClock) -> None:
    hanging = HangingModel(ScriptedModel("scripted", SCRIPT))
    b = bench(hanging)
    assert b.submit(1)
    assert hanging.wait_entered(PATIENCE_S)
    assert b.submit(2)
    clock.advance_to(LATER_NS)
    hanging.release()
    first, second = b.wait_outcomes(2)
    assert (first.status, second.status) == (OutcomeStatus.DONE, OutcomeStatus.EXPIRED)
    assert (second.queue_ns, second.results) == (500_000_000, ())
    assert b.executor.statistics().expired == 1


@pytest.mark.parametrize("streams", [1, 2])
def test_credits_are_one_per_stream_and_one_ahead(bench: Callable[..., Bench], streams: int) -> None:
    hanging = HangingModel(ScriptedModel("scripted", SCRIPT))
    b = bench(hanging, streams=streams)
    for i in range(streams + 1):
        assert b.executor.credits == streams + 1 - i
        assert b.submit(i)
    assert b.executor.credits == 0
    assert not b.submit(99)
    for _ in range(streams):
        assert hanging.wait_entered(PATIENCE_S)
    statistics = b.executor.statistics()
    assert (statistics.running, statistics.waiting, statistics.refused) == (streams, 1, 1)
    hanging.release()
    assert {o.work_id for o in b.wait_outcomes(streams + 1)} == set(range(streams + 1))
    assert b.executor.credits == streams + 1


def test_outcomes_that_nobody_takes_hold_their_credit(bench: Callable[..., Bench]) -> None:
    b = bench(ScriptedModel("scripted", SCRIPT))
    assert b.submit(1)
    assert b.submit(2)
    for _ in range(2):
        assert b._woken.acquire(timeout=PATIENCE_S)
    assert b.executor.credits == 0
    assert not b.submit(3)
    assert len(b.executor.completed_nowait()) == 2
    assert b.executor.credits == 2


def test_two_streams_run_side_by_side(bench: Callable[..., Bench]) -> None:
    hanging = HangingModel(ScriptedModel("scripted", SCRIPT))
    b = bench(hanging, streams=2)
    assert b.submit(1)
    assert b.submit(2)
    assert hanging.wait_entered(PATIENCE_S)
    assert hanging.wait_entered(PATIENCE_S)
    assert {(call.stream, call.work_id) for call in b.executor.running()} in ({(0, 1), (1, 2)}, {(0, 2), (1, 1)})
    hanging.release()
    assert {o.status for o in b.wait_outcomes(2)} == {OutcomeStatus.DONE}


def test_a_call_that_hangs_is_visible_and_stops_no_other(bench: Callable[..., Bench], clock: SimulatedClock) -> None:
    hanging = HangingModel(ScriptedModel("hanging", SCRIPT))
    b = bench(hanging, ScriptedModel("scripted", SCRIPT), streams=2)
    assert b.submit(1, "hanging")
    assert hanging.wait_entered(PATIENCE_S)
    clock.advance(10_000_000)
    assert b.submit(2)
    [outcome] = b.wait_outcomes(1)
    assert (outcome.work_id, outcome.status) == (2, OutcomeStatus.DONE)
    [call] = b.executor.running()
    assert (call.model, call.work_id, call.started_ns) == ("hanging", 1, START_NS)
    hanging.release()


def test_cancelled_work_is_never_started(bench: Callable[..., Bench], clock: SimulatedClock) -> None:
    hanging = HangingModel(ScriptedModel("scripted", SCRIPT))
    b = bench(hanging)
    assert b.submit(1)
    assert hanging.wait_entered(PATIENCE_S)
    assert b.submit(2)
    clock.advance(1_000_000)
    for work_id in (1, 2, 2, 12345):
        b.executor.cancel_nowait(work_id)
    [cancelled] = b.wait_outcomes(1)
    assert (cancelled.work_id, cancelled.status, cancelled.queue_ns) == (2, OutcomeStatus.CANCELLED, 1_000_000)
    hanging.release()
    [done] = b.wait_outcomes(1)
    assert (done.work_id, done.status) == (1, OutcomeStatus.DONE)
    assert b.executor.statistics().cancelled == 1


FAILURES = [
    pytest.param(ValueError("no such shape"), "raised", "ValueError: no such shape", id="raises"),
    pytest.param(SystemExit(3), "raised", "SystemExit: 3", id="exits"),
    pytest.param(MemoryError(), "out_of_memory", "memory ran out", id="memory"),
    pytest.param(output_error("output boxes holds NaN"), "bad_output", "output boxes holds NaN", id="nonsense"),
]


@pytest.mark.parametrize(("error", "cause", "message"), FAILURES)
def test_a_model_that_fails_is_named_and_its_thread_goes_on(
    bench: Callable[..., Bench], error: BaseException, cause: str, message: str
) -> None:
    b = bench(FailingModel(ScriptedModel("scripted", SCRIPT), fail_on=[2], error=error))
    outcomes = []
    for i in (1, 2, 3):
        assert b.submit(i)
        outcomes += b.wait_outcomes(1)
    assert [o.status for o in outcomes] == ["done", "failed", "done"]
    assert outcomes[1].failure == Failure(FailureCause(cause), message)
    assert outcomes[1].results == ()
    assert b.executor.statistics().failures == {FailureCause(cause): 1}


def test_a_lease_lost_before_the_call_is_named(bench: Callable[..., Bench]) -> None:
    b = bench(ScriptedModel("scripted", SCRIPT))
    work = b.work(1)
    b.views.lose(work.views[0])
    assert b.executor.submit_nowait(work)
    [outcome] = b.wait_outcomes(1)
    assert outcome.failure == Failure(FailureCause.LEASE_LOST, "slot 0 of arrays was given up")


def test_a_lease_lost_during_the_call_is_named(bench: Callable[..., Bench]) -> None:
    hanging = HangingModel(ScriptedModel("scripted", SCRIPT))
    b = bench(hanging)
    work = b.work(1)
    assert b.executor.submit_nowait(work)
    assert hanging.wait_entered(PATIENCE_S)
    b.views.lose(work.views[0])
    hanging.release()
    [outcome] = b.wait_outcomes(1)
    assert outcome.failure is not None
    assert (outcome.failure.cause, outcome.results) == (FailureCause.LEASE_LOST, ())


def test_a_model_that_cannot_be_loaded_stops_no_other(bench: Callable[..., Bench]) -> None:
    b = bench(ScriptedModel("scripted", SCRIPT), extra="absent")
    message = "model absent: is not in the test kit. It has scripted"
    assert [name for name, _ in b.loaded] == ["scripted", "absent"]
    assert isinstance(b.loaded[0][1], ModelDescription)
    assert b.loaded[1][1] == Failure(FailureCause.LOAD_FAILED, message)
    assert b.submit(1, "absent")
    assert b.submit(2, "unheard of")
    outcomes = b.wait_outcomes(2)
    assert [o.failure for o in outcomes] == [
        Failure(FailureCause.LOAD_FAILED, message),
        Failure(FailureCause.UNKNOWN_MODEL, "executor cpu has no model 'unheard of'. Models it runs: scripted"),
    ]


def test_loading_that_raises_is_a_failed_load_and_takes_its_time(
    bench: Callable[..., Bench], clock: SimulatedClock
) -> None:
    def load(spec: ModelSpec, streams: int) -> Model:
        clock.advance(250_000_000)
        if spec.name == "extra":
            raise OSError("the disk is gone")
        return ScriptedModel(spec.name, SCRIPT)

    b = bench(ScriptedModel("scripted", SCRIPT), extra="extra", load=load)
    description, failure = (told for _, told in b.loaded)
    assert isinstance(description, ModelDescription)
    assert description.load_ns == 250_000_000
    assert failure == Failure(FailureCause.LOAD_FAILED, "OSError: the disk is gone")
    assert b.executor.statistics().loaded == 1


def test_nothing_is_taken_while_models_load_and_loading_is_visible(
    bench: Callable[..., Bench], clock: SimulatedClock
) -> None:
    loading, go_on = threading.Event(), threading.Event()

    def load(spec: ModelSpec, streams: int) -> Model:
        loading.set()
        assert go_on.wait(PATIENCE_S)
        return ScriptedModel(spec.name, SCRIPT)

    b = bench(ScriptedModel("scripted", SCRIPT), load=load, start=False)
    assert b.executor.credits == 0
    b.executor.start()
    assert loading.wait(PATIENCE_S)
    assert b.executor.running() == (RunningCall(0, "scripted", None, START_NS),)
    assert (b.executor.credits, b.submit(1)) == (0, False)
    go_on.set()
    assert b.executor.wait_loaded(PATIENCE_S)
    assert (b.executor.credits, b.executor.running()) == (2, ())


def test_who_hears_of_a_model_can_give_it_work(clock: SimulatedClock) -> None:
    """Also where others are still to be loaded: an engine that is told would be refused."""
    credits: list[tuple[str, int]] = []
    executor = ModelExecutor(
        "cpu",
        "cpu",
        (ModelSpec("first"), ModelSpec("second")),
        1,
        ArrayViews(),
        clock,
        on_completed=lambda: None,
        on_loaded=lambda name, told: credits.append((name, executor.credits)),
        load=loader(ScriptedModel("first", SCRIPT), ScriptedModel("second", SCRIPT)),
    )
    executor.start()
    try:
        assert executor.wait_loaded(PATIENCE_S)
    finally:
        executor.stop()
    assert credits == [("first", 2), ("second", 2)]


def test_stopping_cancels_what_waits_and_waits_for_what_runs(bench: Callable[..., Bench]) -> None:
    hanging = HangingModel(ScriptedModel("scripted", SCRIPT))
    b = bench(hanging)
    assert b.submit(1)
    assert hanging.wait_entered(PATIENCE_S)
    assert b.submit(2)
    stopped = threading.Event()

    def stop() -> None:
        b.executor.stop()
        stopped.set()

    thread = threading.Thread(target=stop)
    thread.start()
    [cancelled] = b.wait_outcomes(1)
    assert (cancelled.work_id, cancelled.status) == (2, OutcomeStatus.CANCELLED)
    assert not stopped.is_set()
    assert (b.executor.credits, b.submit(3)) == (0, False)
    hanging.release()
    thread.join(PATIENCE_S)
    assert stopped.is_set()
    [done] = b.wait_outcomes(1)
    assert (done.work_id, done.status) == (1, OutcomeStatus.DONE)
    assert not [t for t in threading.enumerate() if t.name.startswith("cpu-")]


def test_models_are_closed_once(bench: Callable[..., Bench]) -> None:
    class Closing(ScriptedModel):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    model = Closing("scripted", SCRIPT)
    b = bench(model)
    b.executor.stop()
    b.executor.stop()
    assert model.closed == 1


def test_a_callback_that_raises_ends_nothing(clock: SimulatedClock) -> None:
    views = ArrayViews()
    done = threading.Semaphore(0)

    def raise_after(*_: object) -> None:
        done.release()
        raise OSError("the owner's socket is closed")

    executor = ModelExecutor(
        "cpu",
        "cpu",
        (ModelSpec("scripted"),),
        1,
        views,
        clock,
        raise_after,
        raise_after,
        loader(ScriptedModel("scripted", SCRIPT)),
    )
    executor.start()
    assert done.acquire(timeout=PATIENCE_S)
    assert executor.wait_loaded(PATIENCE_S)
    for work_id in (1, 2):
        view = views.blank(frame_ref("door", seq=7))
        assert executor.submit_nowait(Work(work_id, 1, "scripted", "door/scripted", (view,), LATER_NS, START_NS))
        assert done.acquire(timeout=PATIENCE_S)
        [outcome] = executor.completed_nowait()
        assert outcome.status is OutcomeStatus.DONE
    executor.stop()
    assert executor.statistics().callback_failures == 3


def test_the_books_balance(bench: Callable[..., Bench], clock: SimulatedClock) -> None:
    failing = FailingModel(ScriptedModel("failing", SCRIPT), fail_on=range(1, 1000, 2), error=ValueError("odd"))
    hanging = HangingModel(ScriptedModel("hanging", SCRIPT))
    b = bench(ScriptedModel("scripted", SCRIPT), failing, hanging, streams=2)
    taken = 0
    for i in range(60):
        model = ("scripted", "failing", "unknown")[i % 3]
        deadline_ns = START_NS if i % 7 == 0 else LATER_NS
        taken += b.submit(i, model, deadline_ns)
        b.wait_outcomes(1)
    assert b.submit(100, "hanging")
    assert hanging.wait_entered(PATIENCE_S)
    s = b.executor.statistics()
    assert taken == 60
    assert s.done + sum(s.failures.values()) + s.expired + s.cancelled + s.waiting + s.running == 61
    assert (s.expired, s.running) == (9, 1)
    hanging.release()
    b.wait_outcomes(1)


def test_the_view_reaches_the_model_as_it_lies_in_its_slot(bench: Callable[..., Bench]) -> None:
    seen: list[Pixels] = []

    class Looking(ScriptedModel):
        def run(self, stream: int, view: View, pixels: Pixels) -> Result:
            seen.append(pixels.copy())
            return super().run(stream, view, pixels)

    b = bench(Looking("scripted", SCRIPT))
    padded = np.arange(4 * 8 * 3, dtype=np.uint8).reshape(4, 8, 3)
    frame = frame_ref("door", seq=7)
    views = (
        b.views.make(frame, padded[:, :6], ViewSpec(6, 4, PixelFormat.RGB24)),
        b.views.make(frame, padded[..., 0].copy(), ViewSpec(8, 4, PixelFormat.GRAY8)),
    )
    assert b.executor.submit_nowait(Work(1, 1, "scripted", "door/scripted", views, LATER_NS, START_NS))
    b.wait_outcomes(1)
    np.testing.assert_array_equal(seen[0], padded[:, :6])
    np.testing.assert_array_equal(seen[1], padded[..., 0])


def test_a_view_that_is_not_what_it_says_is_a_failure(bench: Callable[..., Bench]) -> None:
    b = bench(ScriptedModel("scripted", SCRIPT))
    wrong = b.views.make(frame_ref("door"), np.zeros((4, 8, 3), np.uint8), ViewSpec(16, 4, PixelFormat.RGB24))
    assert b.executor.submit_nowait(Work(1, 1, "scripted", "door/scripted", (wrong,), LATER_NS, START_NS))
    [outcome] = b.wait_outcomes(1)
    assert outcome.failure == Failure(
        FailureCause.RAISED, "ValueError: a rgb24 view of 16×4 has one plane of that size"
    )


def test_an_executor_without_streams_is_refused(clock: SimulatedClock) -> None:
    with pytest.raises(ValueError, match="at least one stream"):
        Bench(clock, streams=0)
