"""What a model's result states: its detections as one signal, each of its scalars under its own name, and more.

The classes of a whole picture are one signal too, `CLASSES`: boxes that cover the picture, most probable first. A
classifier knows up to thousands of classes, and a statement for each would cost more than the rules.

Ready-made signals are stated by every model that can: `PersonDetected` and `FacePresent` by those that know the class,
`MotionLevel` by those that measure motion.
"""

from collections.abc import Collection

from penstock.contracts.results import Detection, Result
from penstock.contracts.signals import Signal

DETECTIONS = "detections"
"""Name of the signal that holds all boxes of one lane's newest picture; no scalar may take it."""
CLASSES = "classes"
"""Name of the signal that holds the classes of one lane's newest picture; no scalar may take it."""
PRESENCE = {"PersonDetected": "person", "FacePresent": "face"}
"""Ready-made signals that are true where a box of a class is seen, with that class."""
MOTION, MOTION_LEVEL = "motion", "MotionLevel"


def ready_made(class_names: Collection[str], signals: Collection[str]) -> tuple[str, ...]:
    """The ready-made signals of a model that knows boxes of `class_names` and states the scalars `signals`."""
    names = [name for name, class_name in PRESENCE.items() if class_name in class_names]
    if MOTION in signals:
        names.append(MOTION_LEVEL)
    return tuple(name for name in names if name not in signals)


def signals_of(result: Result, lane: str, validity_ns: int) -> tuple[Signal, ...]:
    """Signals of `result`, known from its frame's capture for `validity_ns`.

    The detections carry the size of the frame whose pixels their boxes count in. A model without boxes
    (`detections` is None) states none; one that looked and found nothing states an empty tuple. A scalar that has the
    name of a ready-made signal is taken as the model states it.
    """
    frame = result.frame
    camera = frame.id.stream.camera
    capture_ns = frame.capture.mono_ns
    until_ns = capture_ns + validity_ns
    signals = [
        Signal(camera, name, value, capture_ns, until_ns, lane)
        for name, value in result.scalars.items()
        if name not in (DETECTIONS, CLASSES)
    ]
    scalars = result.scalars
    if MOTION in scalars and MOTION_LEVEL not in scalars:
        signals.append(Signal(camera, MOTION_LEVEL, scalars[MOTION], capture_ns, until_ns, lane))
    if result.detections is not None:
        boxes = tuple(result.detections.detections())
        signals.append(Signal(camera, DETECTIONS, boxes, capture_ns, until_ns, lane, frame.width_px, frame.height_px))
        for name, class_name in PRESENCE.items():
            if name not in scalars and class_name in result.detections.class_names:
                seen = any(box.class_name == class_name for box in boxes)
                signals.append(Signal(camera, name, seen, capture_ns, until_ns, lane))
    if result.classifications:
        whole = (0.0, 0.0, float(frame.width_px), float(frame.height_px))
        classes = tuple(
            Detection(whole, one.confidence, one.class_id, one.class_name) for one in result.classifications
        )
        signals.append(Signal(camera, CLASSES, classes, capture_ns, until_ns, lane, frame.width_px, frame.height_px))
    return tuple(signals)
