"""Real networks on real threads: streams agree with each other, and bad files stop nobody."""

import subprocess
import sys
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from penstock.base.clock import SystemClock
from penstock.contracts.frames import Affine, View
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import Failure, FailureCause, ModelDescription, Outcome, OutcomeStatus, Work
from penstock.models.executor import ModelExecutor
from penstock.testkit.views import ArrayViews, frame_ref

PATIENCE_S = 60.0
PETS = "videos/vtest_480x360_h264.mp4"


class Owner:
    """Starts an executor, keeps its credits used up, and collects what comes."""

    def __init__(self, models: tuple[ModelSpec, ...], streams: int) -> None:
        self.clock = SystemClock()
        self.views = ArrayViews()
        self.loaded: dict[str, ModelDescription | Failure] = {}
        self.woken = threading.Event()
        self.executor = ModelExecutor(
            "cpu",
            "cpu",
            models,
            streams,
            self.views,
            self.clock,
            on_completed=self.woken.set,
            on_loaded=self.loaded.__setitem__,
        )

    def __enter__(self) -> "Owner":
        self.executor.start()
        assert self.executor.wait_loaded(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self.executor.stop()

    def analyse(self, model: str, views: list[View]) -> list[Outcome]:
        """One work per view; outcomes in the order of the views."""
        outcomes: dict[int, Outcome] = {}
        waiting = list(enumerate(views))
        while len(outcomes) < len(views):
            while waiting and self.executor.credits:
                work_id, view = waiting.pop(0)
                now_ns = self.clock.now_ns()
                deadline_ns = now_ns + round(PATIENCE_S * 1e9)
                work = Work(work_id, 1, model, f"pets/{model}", (view,), deadline_ns, now_ns)
                assert self.executor.submit_nowait(work)
            assert self.woken.wait(PATIENCE_S)
            self.woken.clear()
            outcomes |= {o.work_id: o for o in self.executor.completed_nowait()}
        return [outcomes[i] for i in range(len(views))]


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> list[av.VideoFrame]:
    with av.open(str(shared_data / PETS)) as container:
        return [frame for i, frame in enumerate(container.decode(video=0)) if i < 800 and i % 2 == 0]


@pytest.fixture
def network(shared_data: Path) -> ModelSpec:
    return ModelSpec("yolox", path=str(shared_data / "models" / "yolox_nano.onnx"))


def letterboxed(owner: Owner, frame: av.VideoFrame, seq: int) -> View:
    """A view as YOLOX-nano wants it, scaled by FFmpeg as ingest does."""
    told = owner.loaded["yolox"]
    assert isinstance(told, ModelDescription)
    spec = told.view
    scale = min(spec.width_px / frame.width, spec.height_px / frame.height)
    width_px, height_px = round(frame.width * scale), round(frame.height * scale)
    pixels = np.full((spec.height_px, spec.width_px, 3), spec.pad, np.uint8)
    pixels[:height_px, :width_px] = frame.reformat(width=width_px, height=height_px, format="bgr24").to_ndarray()
    ref = frame_ref("pets", seq, seq * 10**8, frame.width, frame.height)
    return owner.views.make(ref, pixels, spec, Affine(frame.width / width_px, frame.height / height_px, 0.0, 0.0))


def test_two_streams_give_what_one_gives(frames: list[av.VideoFrame], network: ModelSpec) -> None:
    by_streams: dict[int, list[tuple[Result, ...]]] = {}
    for streams in (1, 2):
        with Owner((network,), streams) as owner:
            views = [letterboxed(owner, frame, seq) for seq, frame in enumerate(frames[::20])]
            outcomes = owner.analyse("yolox", views)
            assert {o.status for o in outcomes} == {OutcomeStatus.DONE}
            by_streams[streams] = [o.results for o in outcomes]
            busy_ns = owner.executor.statistics().busy_ns
            assert len(busy_ns) == streams
            assert min(busy_ns) > 0
    assert by_streams[1] == by_streams[2]
    assert sum(len(results[0].detections or ()) for results in by_streams[1]) > 60


def test_a_file_that_is_no_network_stops_no_other(
    frames: list[av.VideoFrame], network: ModelSpec, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(Path(network.path).read_bytes()[:100_000])
    specs = (ModelSpec("broken", path=str(broken)), network, ModelSpec("absent", path=str(tmp_path / "absent.onnx")))
    with Owner(specs, 1) as owner:
        assert list(owner.loaded) == ["broken", "yolox", "absent"]
        view = letterboxed(owner, frames[0], 0)
        [done] = owner.analyse("yolox", [view])
        assert done.status is OutcomeStatus.DONE
        assert (done.compute_ns > 0, done.finished_ns > done.started_ns >= done.received_ns) == (True, True)
        [failed] = owner.analyse("broken", [view])
        assert failed.failure == owner.loaded["broken"]
        for name, message in (("broken", "is no ONNX file, or a damaged one"), ("absent", "no such file")):
            told = owner.loaded[name]
            assert isinstance(told, Failure)
            assert told.cause is FailureCause.LOAD_FAILED
            assert message in told.message


def test_motion_covers_the_people_who_walk(frames: list[av.VideoFrame], shared_data: Path) -> None:
    truth = np.loadtxt(shared_data / "mot/PETS09-S2L1/gt/gt.txt", delimiter=",")
    with Owner((ModelSpec("motion", kind="motion"),), 1) as owner:
        told = owner.loaded["motion"]
        assert isinstance(told, ModelDescription)
        covered = people = 0
        views = []
        for seq, frame in enumerate(frames):
            pixels = frame.reformat(width=320, height=180, format="gray").to_ndarray()
            ref = frame_ref("pets", seq, round(seq * 2 / 7 * 1e9), frame.width, frame.height)
            views.append(owner.views.make(ref, np.asarray(pixels, np.uint8), told.view))
        outcomes = owner.analyse("motion", views)
    for seq, outcome in enumerate(outcomes):
        if seq < 60:
            continue
        rows = truth[(truth[:, 0] == 2 * seq + 1) & (truth[:, 6] == 1)][:, 2:6] * 0.625
        assert outcome.results[0].detections is not None
        boxes = [d.xyxy for d in outcome.results[0].detections.detections()]
        assert 0 < outcome.results[0].scalars["motion"] < 0.2
        people += len(rows)
        covered += sum(
            any(b[0] <= x + w / 2 <= b[2] and b[1] <= y + h / 2 <= b[3] for b in boxes) for x, y, w, h in rows
        )
    assert people > 1000
    assert covered / people >= 0.9


def test_a_process_without_networks_loads_no_runtime() -> None:
    code = (
        "import sys\n"
        "from penstock.contracts.specs import ModelSpec\n"
        "from penstock.models.executor import load_model\n"
        "load_model(ModelSpec('motion', kind='motion'), 1)\n"
        "sys.exit('openvino' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE_S)
