"""Times one model on this host as a run would run it: in a process of its own, by the executor's own code, with all of
its streams busy.

The pictures are noise and show nothing, so what a model does with what it finds is not in the number. The child is
killed when it takes too long: a model that hangs, crashes or prints costs nobody else anything.
"""

import os
import resource
import subprocess
import sys
import threading

import msgspec
import numpy as np

from penstock.base.clock import NS_PER_S, Clock, SystemClock
from penstock.contracts.frames import Affine, FrameRef, Lease, Location, Plane, View, ViewSpec
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.specs import ExecutorSpec, ModelSpec
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.contracts.work import Failure, ModelDescription, Outcome, OutcomeStatus, Work
from penstock.models.executor import ModelExecutor
from penstock.runtime.admission_picture import HOST_NS
from penstock.runtime.cost_book import KnownModel
from penstock.runtime.memory_plan import RUNTIME_BYTES

WARM_UP_NS = NS_PER_S // 3
TIMED_NS = 3 * NS_PER_S // 2
FEWEST_CALLS = 3
LIMIT_S = 60.0
_PICTURES = 4
_SOURCE_PX = (1280, 720)
_INTERVAL_NS = 40_000_000
_WAIT_S = 0.5


class TrialError(Exception):
    """The model could not be timed: why."""


class _Answer(msgspec.Struct, frozen=True):
    known: KnownModel | None = None
    fault: str = ""


def wait_model_trial(model: ModelSpec, executor: ExecutorSpec, utc_ns: int, limit_s: float = LIMIT_S) -> KnownModel:
    """Loads and times `model` on `executor`'s streams; raises TrialError. Takes about two seconds and its loading."""
    alone = msgspec.structs.replace(executor, models=(model,))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", __name__],
            input=msgspec.json.encode(alone),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TrialError(f"it did not answer within {limit_s:g} s") from None
    try:
        answer = msgspec.json.decode(done.stdout, type=_Answer)
    except msgspec.MsgspecError:
        raise TrialError(f"its process ended with {done.returncode} and without an answer") from None
    if answer.known is None:
        raise TrialError(answer.fault)
    return msgspec.structs.replace(answer.known, utc_ns=utc_ns)


class _Noise:
    """A `ViewReader` whose every slot holds noise."""

    def __init__(self) -> None:
        self._pictures: dict[tuple[int, int], memoryview] = {}

    def pixels(self, view: View) -> memoryview:
        key = (view.lease.slot, view.spec.nbytes)
        if key not in self._pictures:
            noise = np.random.default_rng(key[0]).integers(0, 256, view.spec.nbytes, np.uint8)
            self._pictures[key] = memoryview(noise.tobytes())
        return self._pictures[key]

    def still_leased(self, view: View) -> bool:
        del view
        return True


def _timed(spec: ExecutorSpec, clock: Clock) -> _Answer:
    """In the child: loads the one model of `spec` and keeps its streams busy for `TIMED_NS`."""
    completed = threading.Event()
    told: list[ModelDescription | Failure] = []
    before_bytes = _own_bytes()
    executor = ModelExecutor(
        spec.name,
        spec.device,
        spec.models,
        spec.streams,
        _Noise(),
        clock,
        on_completed=completed.set,
        on_loaded=lambda _, what: told.append(what),
    )
    executor.start()
    try:
        while not executor.wait_loaded(_WAIT_S):
            pass
        described = told[0]
        if isinstance(described, Failure):
            return _Answer(fault=described.message)
        outcomes, cpu_ns = _run(executor, described, clock, completed)
    finally:
        executor.stop()
    failed = next((one.failure for one in outcomes if one.status is not OutcomeStatus.DONE), None)
    if failed is not None:
        return _Answer(fault=failed.message)
    return _Answer(
        KnownModel(
            name=described.model,
            stream_ns=sum(one.finished_ns - one.started_ns for one in outcomes) / len(outcomes),
            host_ns=cpu_ns / len(outcomes) + HOST_NS,
            memory_bytes=max(0, _own_bytes() - before_bytes - _runtime_bytes(spec.models[0])),
            view_bytes=described.view.nbytes,
        )
    )


def _run(
    executor: ModelExecutor, described: ModelDescription, clock: Clock, completed: threading.Event
) -> tuple[list[Outcome], int]:
    """Outcomes after the warm-up, and the processor time that they took; ends early at the first that failed."""
    number = 0
    timed: list[Outcome] = []
    began_ns = clock.now_ns()
    cpu_began_ns = _cpu_ns()
    warm = False
    while True:
        while executor.credits:
            number += 1
            executor.submit_nowait(_work(number, described, clock.now_ns()))
        clock.wait(completed, _WAIT_S)
        completed.clear()
        found = executor.completed_nowait()
        if any(one.status is not OutcomeStatus.DONE for one in found):
            return found, 0
        passed_ns = clock.now_ns() - began_ns
        if warm:
            timed += found
        elif found and passed_ns >= WARM_UP_NS:
            # Calls of the warm-up are left out; the first ones prepare buffers.
            warm, began_ns, cpu_began_ns = True, clock.now_ns(), _cpu_ns()
            continue
        if warm and passed_ns >= TIMED_NS and len(timed) >= FEWEST_CALLS:
            return timed, _cpu_ns() - cpu_began_ns


def _work(number: int, described: ModelDescription, now_ns: int) -> Work:
    return Work(
        work_id=number,
        lease_epoch=1,
        model=described.model,
        lane=f"trial/{described.model}",
        views=(_view(number, described.view, now_ns),),
        deadline_ns=now_ns + round(LIMIT_S) * NS_PER_S,
        submitted_ns=now_ns,
    )


def _view(number: int, spec: ViewSpec, now_ns: int) -> View:
    width_px, height_px = _SOURCE_PX
    stream = StreamKey("trial", "trial", "trial", "trial", Role.DETECT, 1)
    capture = CaptureTime(number * _INTERVAL_NS, TimeBasis.MEDIA, 0)
    return View(
        frame=FrameRef(FrameId(stream, number), number, capture, now_ns, now_ns, width_px, height_px),
        spec=spec,
        lease=Lease("trial", number % _PICTURES, 1),
        location=Location.HEAP,
        device="cpu",
        planes=(Plane(0, spec.width_px * spec.channels, spec.width_px, spec.height_px),),
        to_source=Affine(width_px / spec.width_px, height_px / spec.height_px, 0.0, 0.0),
    )


def _runtime_bytes(model: ModelSpec) -> int:
    """What the first network of a process takes for all of them: the memory plan counts it apart."""
    return RUNTIME_BYTES if model.kind == "onnx" else 0


def _cpu_ns() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return round((usage.ru_utime + usage.ru_stime) * NS_PER_S)


def _own_bytes() -> int:
    """Memory of this process without what it shares with others of its kind."""
    try:
        with open("/proc/self/smaps_rollup", encoding="ascii") as rollup:
            wanted = ("Private_Clean:", "Private_Dirty:")
            return sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith(wanted))
    except OSError:
        return 0


def main() -> None:
    """The child: a specification on standard input, the answer on standard output, which is kept from the model."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=ExecutorSpec)
    answers.write(msgspec.json.encode(_timed(spec, SystemClock())))
    answers.close()


if __name__ == "__main__":
    main()
