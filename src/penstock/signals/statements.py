"""What a model's result states: its detections as one signal, and each of its scalars under its own name."""

from penstock.contracts.results import Result
from penstock.contracts.signals import Signal

DETECTIONS = "detections"
"""Name of the signal that holds all boxes of one lane's newest picture; no scalar may take it."""


def signals_of(result: Result, lane: str, validity_ns: int) -> tuple[Signal, ...]:
    """Signals of `result`, known from its frame's capture for `validity_ns`.

    The detections carry the size of the frame whose pixels their boxes count in. A model without boxes
    (`detections` is None) states none; one that looked and found nothing states an empty tuple.
    """
    frame = result.frame
    camera = frame.id.stream.camera
    capture_ns = frame.capture.mono_ns
    until_ns = capture_ns + validity_ns
    signals = [
        Signal(camera, name, value, capture_ns, until_ns, lane)
        for name, value in result.scalars.items()
        if name != DETECTIONS
    ]
    if result.detections is not None:
        boxes = tuple(result.detections.detections())
        signals.append(Signal(camera, DETECTIONS, boxes, capture_ns, until_ns, lane, frame.width_px, frame.height_px))
    return tuple(signals)
