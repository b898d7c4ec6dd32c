"""Records of a run that was never filmed: cameras, frames, results, rules, for peers that do as they are told."""

from array import array

from penstock.base.ids import boot_id, host_id
from penstock.contracts.frames import Fit, FrameRef, PixelFormat, ViewSpec
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.results import Detections, Result
from penstock.contracts.specs import (
    CameraSpec,
    ExecutorSpec,
    LaneSpec,
    ModelSpec,
    RecordSpec,
    RuleSpec,
    RunSpec,
    StreamSpec,
    ZoneSpec,
)
from penstock.contracts.times import CaptureTime, ClockReading, TimeBasis
from penstock.contracts.work import ModelDescription

NS_PER_S = 1_000_000_000
FRAME_NS = 40_000_000
MODEL = "people"
SESSION = 1
PERSON, CAR = 0, 2
CLASS_NAMES = ("person", "bicycle", "car", *(f"class-{n}" for n in range(3, 80)))
"""as many as COCO has: names travel with every result"""
VIEW = ViewSpec(416, 416, PixelFormat.BGR24, Fit.LETTERBOX_TOP_LEFT)
DESCRIPTION = ModelDescription(MODEL, VIEW, "0" * 64, "scripted", CLASS_NAMES, "cpu")
GATE_ZONE = ZoneSpec("gate", ((0.1, 0.1), (0.6, 0.1), (0.6, 0.9), (0.1, 0.9)))
RULES = (
    RuleSpec("two people", "count(person) >= 2 for 1s", cooldown_ns=NS_PER_S),
    RuleSpec("somebody at the gate", "count(person in gate) >= 1 for 2s", cooldown_ns=NS_PER_S),
    RuleSpec("car alone", "count(car) >= 1 and not count(person) >= 1", cooldown_ns=NS_PER_S),
)


def run_spec(data_dir: str, clock: ClockReading, cameras: int, url: str = "/nowhere.mp4") -> RunSpec:
    """Cameras of one ingest process at 25 frames and 5 analyses a second, one model, three rules, no clips."""
    names = tuple(f"camera-{n}" for n in range(cameras))
    return RunSpec(
        host_id=host_id(),
        boot_id=boot_id(),
        run_id="bench",
        clock=clock,
        data_dir=data_dir,
        cameras=tuple(
            CameraSpec(name, (StreamSpec(name, url),), zones=(GATE_ZONE,), record=RecordSpec(enabled=False))
            for name in names
        ),
        executors=(ExecutorSpec("cpu", "cpu", (ModelSpec(MODEL),), streams=2),),
        lanes=tuple(LaneSpec(name, MODEL, max_fps=5.0, gated=False) for name in names),
        rules=RULES,
        ingest_groups=(names,),
        metrics_port=-1,
    )


def frame(camera: str, index: int, capture_ns: int) -> FrameRef:
    """Decoded 10 ms after its capture, 640×360."""
    return FrameRef(
        id=FrameId(StreamKey("host", "boot", "bench", camera, Role.DETECT, SESSION), index - 1),
        index=index,
        capture=CaptureTime(capture_ns, TimeBasis.ARRIVAL, 5_000_000),
        received_ns=capture_ns + 8_000_000,
        decoded_ns=capture_ns + 10_000_000,
        width_px=640,
        height_px=360,
    )


def detections(class_id: int, count: int) -> Detections:
    """`count` boxes of one class in a row across the picture."""
    corners = array("f")
    for n in range(count):
        left = 20.0 + 600.0 * n / max(1, count)
        corners.extend((left, 100.0, left + 40.0, 220.0))
    return Detections(
        xyxy=corners.tobytes(),
        confidence=array("f", [0.9] * count).tobytes(),
        class_id=array("i", [class_id] * count).tobytes(),
        class_names=CLASS_NAMES,
    )


PEOPLE, ONE_CAR = detections(PERSON, 5), detections(CAR, 1)


def result(of: FrameRef) -> Result:
    """Five people for three seconds of capture time, then a car for three: events open and end."""
    peopled = of.capture.mono_ns // (3 * NS_PER_S) % 2 == 0
    return Result(MODEL, DESCRIPTION.weight_hash, of, PEOPLE if peopled else ONE_CAR)
