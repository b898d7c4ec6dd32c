"""An executor process: models of one device behind a link to the engine; may hang or crash, and is replaced."""

import logging

import msgspec

from penstock.base.clock import NS_PER_S
from penstock.base.queues import BoundedQueue
from penstock.contracts.messages import (
    Cancel,
    Completed,
    Load,
    Message,
    ModelLoad,
    ModelReady,
    ModelUnavailable,
    Submit,
)
from penstock.contracts.specs import ExecutorSpec
from penstock.contracts.work import Failure, FailureCause, ModelDescription, Outcome, OutcomeStatus, Work
from penstock.framebus.links import Link
from penstock.framebus.slots import SlotReader
from penstock.models.executor import ModelExecutor
from penstock.runtime import wiring
from penstock.runtime.shell import Shell, processor_ns, resident_bytes
from penstock.telemetry.analysis_statistics import ExecutorStatistics, ModelStatistics
from penstock.telemetry.statistics import ProcessStatistics

log = logging.getLogger(__name__)

_LOADED_BOUND = 256
LOAD_NS = NS_PER_S


class ExecutorUnit:
    """See `runtime.shell.Unit`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._spec = executor_spec(shell)
        self._engine: Link | None = None
        self._loaded: dict[str, ModelDescription | Failure] = {}
        self._news: BoundedQueue[tuple[str, ModelDescription | Failure]] = BoundedQueue(_LOADED_BOUND)
        self._reader = SlotReader()
        self._executor = ModelExecutor(
            self._spec.name,
            self._spec.device,
            self._spec.models,
            self._spec.streams,
            self._reader,
            shell.clock,
            on_completed=shell.reactor.wake_nowait,
            on_loaded=self._on_loaded,
        )

    def start(self) -> None:
        for camera in self._shell.spec.cameras:
            self._reader.attach(self._shell.regions[wiring.pool_region(camera.name)])
        self._shell.reactor.on_wake(self._tell_news)
        self._shell.reactor.call_every(LOAD_NS, self._tell_load)
        self._executor.start()

    def attached(self, link: Link) -> None:
        self._engine = link
        for model, told in self._loaded.items():
            self._tell_model(model, told)

    def detached(self, link: Link) -> None:
        if self._engine is link:
            self._engine = None

    def received(self, link: Link, message: Message) -> None:
        del link
        match message:
            case Submit():
                if not self._executor.submit_nowait(message.work):
                    self._send(Completed(self._refusal(message.work)))
            case Cancel():
                self._executor.cancel_nowait(message.work_id)
            case _:
                log.warning("an executor does not take %s", type(message).__name__)

    def statistics(self, base: ProcessStatistics) -> ProcessStatistics:
        counts = self._executor.statistics()
        outcomes = {
            OutcomeStatus.DONE.value: counts.done,
            OutcomeStatus.FAILED.value: sum(counts.failures.values()),
            OutcomeStatus.EXPIRED.value: counts.expired,
            OutcomeStatus.CANCELLED.value: counts.cancelled,
        }
        executor = ExecutorStatistics(
            executor=self._spec.name,
            device=self._spec.device,
            ready=counts.loaded > 0,
            streams=self._spec.streams,
            submitted=sum(outcomes.values()) + counts.waiting + counts.running,
            outcomes=outcomes,
            in_flight=counts.waiting + counts.running,
            busy_ns=sum(counts.busy_ns),
            replaced=self._shell.generation - 1,
        )
        models = tuple(self._model_statistics(model, told) for model, told in self._loaded.items())
        return msgspec.structs.replace(base, executors=(executor,), models=models)

    def stop(self, grace_ns: int) -> None:
        # A call that hangs cannot be waited for: the supervisor kills what outlives its grace.
        del grace_ns
        self._shell.done()

    def close(self) -> None:
        if not self._shell.orphaned:
            self._executor.stop()

    def _on_loaded(self, model: str, told: ModelDescription | Failure) -> None:
        """From the executor's thread."""
        self._news.put_nowait((model, told))
        self._shell.reactor.wake_nowait()

    def _tell_news(self) -> None:
        while (news := self._news.get_nowait()) is not None:
            model, told = news
            self._loaded[model] = told
            if isinstance(told, Failure):
                log.error("not loaded: %s", told.message, extra={"model": model})
            else:
                log.info(
                    "ready: %s on %s, loaded in %.1f s",
                    told.head,
                    told.device,
                    told.load_ns / 1e9,
                    extra={"model": model},
                )
            self._tell_model(model, told)
        for outcome in self._executor.completed_nowait():
            if not self._send(Completed(outcome)) and self._engine is not None:
                self._send(Completed(without_results(outcome)))

    def _tell_load(self) -> None:
        if len(self._loaded) < len(self._spec.models):
            # What loading takes would pass for the price of the first calls.
            return
        self._send(
            Load(
                at_ns=self._shell.clock.now_ns(),
                cpu_ns=processor_ns(),
                models=tuple(
                    ModelLoad(model, views, busy_ns)
                    for model, (views, busy_ns) in self._executor.statistics().models.items()
                ),
                resident_bytes=resident_bytes(),
            )
        )

    def _tell_model(self, model: str, told: ModelDescription | Failure) -> None:
        if isinstance(told, Failure):
            self._send(ModelUnavailable(model, told))
        else:
            self._send(ModelReady(told, self._spec.streams + 1))

    def _send(self, message: Message) -> bool:
        return self._engine is not None and self._engine.send_nowait(message)

    def _refusal(self, work: Work) -> Outcome:
        return Outcome(
            work_id=work.work_id,
            lease_epoch=work.lease_epoch,
            model=work.model,
            status=OutcomeStatus.CANCELLED,
            device=self._spec.device,
            failure=Failure(FailureCause.REFUSED, f"executor {self._spec.name} has no credit left"),
        )

    def _model_statistics(self, model: str, told: ModelDescription | Failure) -> ModelStatistics:
        if isinstance(told, Failure):
            return ModelStatistics(model=model, executor=self._spec.name, state="failed", fault=told.message)
        return ModelStatistics(
            model=model,
            executor=self._spec.name,
            state="ready",
            device=told.device,
            head=told.head,
            weight_hash=told.weight_hash,
            load_ns=told.load_ns,
        )


def executor_spec(shell: Shell) -> ExecutorSpec:
    return next(e for e in shell.spec.executors if wiring.executor_process(e.name) == shell.name)


def without_results(outcome: Outcome) -> Outcome:
    """What is said of an outcome whose results are too large for the link: rather a failure than silence."""
    failure = Failure(FailureCause.BAD_OUTPUT, "the result is too large to be handed to the engine")
    return msgspec.structs.replace(outcome, status=OutcomeStatus.FAILED, results=(), failure=failure)
