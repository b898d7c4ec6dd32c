"""Without a tracker results pass as they are."""

from penstock.contracts.frames import FrameRef
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.results import Result
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.contracts.tracking import Tracker
from penstock.tracking.off import TrackingOff


def test_results_pass_unchanged() -> None:
    frame = FrameRef(
        id=FrameId(StreamKey("host", "boot", "run", "front", Role.DETECT, 1), 0),
        index=1,
        capture=CaptureTime(0, TimeBasis.ARRIVAL, 0),
        received_ns=0,
        decoded_ns=0,
        width_px=64,
        height_px=36,
    )
    result = Result("yolox", "hash", frame)
    tracker: Tracker = TrackingOff()
    assert tracker.update("front/yolox", result) is result
