"""Runs models on stream threads and answers every piece of work exactly once.

Each stream is one thread that runs one call at a time; besides what runs, one piece of work may wait. Nothing a
model does ends a thread, and nothing here waits for a model except `stop`. A call that never returns cannot be
abandoned from within the process: `running` shows it, and whoever watches replaces the process.

Queues: work waiting and outcomes not yet taken share one bound, streams + 1 with what runs; beyond it work is
refused and counted, so an owner that does not take outcomes stops the flow instead of growing a list.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import msgspec

from penstock.base.clock import Clock
from penstock.contracts.frames import View
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.views import LeaseLost, ViewReader
from penstock.contracts.work import Failure, FailureCause, ModelDescription, Outcome, OutcomeStatus, Work
from penstock.models.errors import failure_of
from penstock.models.executor_statistics import CallCounts, ExecutorStatistics, RunningCall
from penstock.models.loading import load_model
from penstock.models.model import BatchModel, LoadModel, Model
from penstock.models.pixels import array_of

OnLoaded = Callable[[str, ModelDescription | Failure], None]
"""(model's name, what it is or why it is not there)"""


class _Held(NamedTuple):
    work: Work
    received_ns: int


class ModelExecutor:
    """Executor of one device: `streams` calls side by side and one more ahead.

    `on_loaded` is called once per model, `on_completed` after each outcome is ready to be taken; both from threads
    of the executor, and both must return soon. What they raise is counted and goes no further.
    """

    def __init__(
        self,
        name: str,
        device: str,
        models: tuple[ModelSpec, ...],
        streams: int,
        reader: ViewReader,
        clock: Clock,
        on_completed: Callable[[], None],
        on_loaded: OnLoaded,
        load: LoadModel = load_model,
    ) -> None:
        if streams < 1:
            raise ValueError(f"an executor needs at least one stream, not {streams}")
        self.name = name
        self.device = device
        self._specs = models
        self._streams = streams
        self._reader = reader
        self._clock = clock
        self._on_completed = on_completed
        self._on_loaded = on_loaded
        self._load = load
        self._state = threading.Condition()
        self._waiting: deque[_Held] = deque()
        self._running: list[RunningCall | None] = [None] * streams
        self._outcomes: list[Outcome] = []
        self._models: dict[str, Model] = {}
        self._failures: dict[str, Failure] = {}
        self._open = False
        """takes work: every model has been tried"""
        self._loaded = False
        """and whoever owns this has been told of each"""
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._counts = CallCounts(streams)

    def start(self) -> None:
        """Starts the stream threads and returns; the first of them loads the models, then all take work."""
        assert not self._threads, "an executor starts once"
        self._threads = [
            threading.Thread(target=self._run_stream, args=(i,), name=f"{self.name}-{i}") for i in range(self._streams)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends waiting work as `cancelled`, waits for calls under way and for the threads, closes the models.

        A call that hangs keeps this waiting. Outcomes can still be taken afterwards.
        """
        with self._state:
            self._stopping = True
            held = list(self._waiting)
            self._waiting.clear()
            for work in held:
                self._end(work, OutcomeStatus.CANCELLED)
            self._state.notify_all()
        if held:
            self._tell_completed()
        for thread in self._threads:
            thread.join()
        for model in self._models.values():
            model.close()
        self._models.clear()

    @property
    def credits(self) -> int:
        """How many more `Work` it takes now; 0 while models load and once it stops."""
        with self._state:
            return self._credits()

    def wait_loaded(self, timeout_s: float) -> bool:
        """Waits until every model is loaded or has failed to; says whether that is so."""
        with self._state:
            return self._state.wait_for(lambda: self._loaded, timeout_s)

    def submit_nowait(self, work: Work) -> bool:
        received_ns = self._clock.now_ns()
        with self._state:
            if self._credits() < 1:
                self._counts.refused += 1
                return False
            self._waiting.append(_Held(work, received_ns))
            self._state.notify()
            return True

    def cancel_nowait(self, work_id: int) -> None:
        with self._state:
            found = next((held for held in self._waiting if held.work.work_id == work_id), None)
            if found is None:
                return
            self._waiting.remove(found)
            self._end(found, OutcomeStatus.CANCELLED)
        self._tell_completed()

    def completed_nowait(self) -> list[Outcome]:
        with self._state:
            taken, self._outcomes = self._outcomes, []
            return taken

    def running(self) -> tuple[RunningCall, ...]:
        """What each busy stream does now and since when; loading a model counts, with no work id."""
        with self._state:
            return tuple(call for call in self._running if call is not None)

    def statistics(self) -> ExecutorStatistics:
        with self._state:
            return self._counts.frozen(
                loaded=len(self._models),
                waiting=len(self._waiting),
                running=sum(call is not None for call in self._running),
            )

    def _credits(self) -> int:
        if not self._open or self._stopping:
            return 0
        calls = sum(call is not None for call in self._running)
        return max(0, self._streams + 1 - calls - len(self._waiting) - len(self._outcomes))

    def _run_stream(self, stream: int) -> None:
        if stream == 0:
            self._load_models()
        while True:
            with self._state:
                self._state.wait_for(lambda: self._stopping or (self._open and self._waiting))
                if self._stopping:
                    return
                held = self._waiting.popleft()
                started_ns = self._clock.now_ns()
                expired = started_ns >= held.work.deadline_ns
                if expired:
                    self._end(held, OutcomeStatus.EXPIRED)
                else:
                    self._running[stream] = RunningCall(stream, held.work.model, held.work.work_id, started_ns)
            if not expired:
                self._call(stream, held, started_ns)
            self._tell_completed()

    def _call(self, stream: int, held: _Held, started_ns: int) -> None:
        work = held.work
        results: list[Result] = []
        failure: Failure | None = None
        transfer_ns = 0
        try:
            model = self._models.get(work.model)
            if model is None:
                failure = self._failures.get(work.model) or self._unknown(work.model)
            else:
                for views in _calls(model, work.views):
                    found, read_ns = self._analyse(stream, model, views)
                    results += found
                    transfer_ns += read_ns
        # Whatever a model raises, SystemExit included, ends this call and not the thread.
        except BaseException as error:
            failure = failure_of(error)
        finished_ns = self._clock.now_ns()
        late = finished_ns > work.deadline_ns
        outcome = Outcome(
            work_id=work.work_id,
            lease_epoch=work.lease_epoch,
            model=work.model,
            status=OutcomeStatus.FAILED if failure else OutcomeStatus.DONE,
            device=self.device,
            attempt=work.attempt,
            results=() if failure else tuple(msgspec.structs.replace(r, late=True) if late else r for r in results),
            failure=failure,
            received_ns=held.received_ns,
            started_ns=started_ns,
            finished_ns=finished_ns,
            queue_ns=started_ns - held.received_ns,
            transfer_ns=transfer_ns,
            compute_ns=finished_ns - started_ns - transfer_ns,
        )
        with self._state:
            self._running[stream] = None
            self._counts.called(stream, work, finished_ns - started_ns, failure, late=late and failure is None)
            self._outcomes.append(outcome)

    def _analyse(self, stream: int, model: Model, views: tuple[View, ...]) -> tuple[list[Result], int]:
        begun_ns = self._clock.now_ns()
        pixels = [array_of(view, self._reader.pixels(view)) for view in views]
        read_ns = self._clock.now_ns() - begun_ns
        if len(views) > 1 and isinstance(model, BatchModel):
            results = model.run_batch(stream, views, pixels)
        else:
            results = [model.run(stream, view, one) for view, one in zip(views, pixels, strict=True)]
        if not all(self._reader.still_leased(view) for view in views):
            raise LeaseLost("the lease ended while the model ran: what it saw may be another frame")
        return results, read_ns

    def _load_models(self) -> None:
        """Tells of each model once all have been tried: until then no stream takes work of any."""
        told_of: list[tuple[str, ModelDescription | Failure]] = []
        for spec in self._specs:
            started_ns = self._clock.now_ns()
            with self._state:
                if self._stopping:
                    break
                self._running[0] = RunningCall(0, spec.name, None, started_ns)
            told: ModelDescription | Failure
            try:
                model = self._load(spec, self._streams)
            except BaseException as error:
                told = failure_of(error, FailureCause.LOAD_FAILED)
                self._failures[spec.name] = told
            else:
                told = msgspec.structs.replace(model.description, load_ns=self._clock.now_ns() - started_ns)
                self._models[spec.name] = model
            told_of.append((spec.name, told))
        with self._state:
            self._running[0] = None
            self._open = True
        for name, told in told_of:
            self._guarded(partial(self._on_loaded, name, told))
        with self._state:
            self._loaded = True
            self._state.notify_all()

    def _end(self, held: _Held, status: OutcomeStatus) -> None:
        """Answers work that was never started; the lock is held."""
        now_ns = self._clock.now_ns()
        work = held.work
        self._counts.ended(status)
        self._outcomes.append(
            Outcome(
                work_id=work.work_id,
                lease_epoch=work.lease_epoch,
                model=work.model,
                status=status,
                device=self.device,
                attempt=work.attempt,
                received_ns=held.received_ns,
                finished_ns=now_ns,
                queue_ns=now_ns - held.received_ns,
            )
        )

    def _unknown(self, model: str) -> Failure:
        known = ", ".join(sorted(self._models)) or "none"
        return Failure(
            FailureCause.UNKNOWN_MODEL, f"executor {self.name} has no model {model!r}. Models it runs: {known}"
        )

    def _tell_completed(self) -> None:
        self._guarded(self._on_completed)

    def _guarded(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except Exception:
            with self._state:
                self._counts.callback_failures += 1


def _calls(model: Model, views: tuple[View, ...]) -> Iterator[tuple[View, ...]]:
    """The views of one piece of work, as many at a time as the model takes."""
    size = model.description.max_batch if isinstance(model, BatchModel) else 1
    for first in range(0, len(views), size):
        yield views[first : first + size]
