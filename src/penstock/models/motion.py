"""Finds moving regions by comparing each picture with a running average of its camera; needs no weights.

State is kept per camera and starts anew with another session, another picture size or after a long gap. The method
and its options are `background`'s; here it becomes a model like any other.
"""

import hashlib
import inspect
import math
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from penstock.contracts.frames import Fit, FrameRef, PixelFormat, View, ViewSpec
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription
from penstock.models import background, regions
from penstock.models.background import HEIGHT_PX, WIDTH_PX, Background, MotionOptions
from penstock.models.class_names import class_ids
from penstock.models.detector import map_to_frame, pack
from penstock.models.errors import load_error
from penstock.models.heads.head import CONFIDENCE
from penstock.models.model import Pixels

MAX_LANES = 256
"""cameras whose average is kept; the one longest unseen leaves, counted"""

_CLASSES = ("motion",)


@dataclass(frozen=True, slots=True)
class MotionStatistics:
    """Averages held now, and how often one was started anew, relearnt for a change of light, or evicted."""

    lanes: int
    started: int
    relearnt: int
    evicted: int


class MotionModel:
    """Class `motion` with its regions, and the scalar `motion`: the share of the picture that moves, 0–1."""

    def __init__(self, spec: ModelSpec) -> None:
        self._options = _options_from(spec)
        class_ids(spec.labels, _CLASSES)
        self._floor = CONFIDENCE if spec.confidence is None else spec.confidence
        self._max_boxes = spec.max_detections
        source = "".join(inspect.getsource(module) for module in (sys.modules[__name__], background, regions))
        self.description = ModelDescription(
            model=spec.name,
            view=ViewSpec(WIDTH_PX, HEIGHT_PX, PixelFormat.GRAY8, Fit.STRETCH),
            weight_hash=hashlib.sha256(source.encode()).hexdigest(),
            head="motion",
            class_names=_CLASSES,
            device=spec.device,
            signals=("motion",),
        )
        self._lanes: OrderedDict[str, Background] = OrderedDict()
        self._lock = threading.Lock()
        self._started = 0
        self._relearnt = 0
        self._evicted = 0

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:  # noqa: ARG002  any stream, same state
        average = self._background_of(view.frame)
        with average.lock:
            seen = average.compare(pixels, view.frame.capture.mono_ns)
        if seen.relearnt:
            with self._lock:
                self._relearnt += 1
        frame = view.frame
        if not seen.known:
            # Stating that nothing moves would end events whenever the model, or its camera, has just come back.
            return Result(model=self.description.model, weight_hash=self.description.weight_hash, frame=frame)
        kept = np.flatnonzero(seen.confidence >= self._floor)
        kept = kept[np.argsort(-seen.confidence[kept], kind="stable")][: self._max_boxes]
        return Result(
            model=self.description.model,
            weight_hash=self.description.weight_hash,
            frame=frame,
            detections=pack(
                map_to_frame(seen.xyxy[kept], view.to_source, frame.width_px, frame.height_px),
                seen.confidence[kept],
                np.zeros(len(kept), np.int32),
                _CLASSES,
            ),
            scalars={"motion": seen.fraction},
        )

    def close(self) -> None:
        with self._lock:
            self._lanes.clear()

    def statistics(self) -> MotionStatistics:
        with self._lock:
            return MotionStatistics(len(self._lanes), self._started, self._relearnt, self._evicted)

    def _background_of(self, frame: FrameRef) -> Background:
        camera = frame.id.stream.camera
        scene = (frame.id.stream.session, frame.width_px, frame.height_px)
        with self._lock:
            known = self._lanes.get(camera)
            if known is None or known.scene != scene or known.is_stale(frame.capture.mono_ns):
                known = self._lanes[camera] = Background(scene, self._options)
                self._started += 1
            self._lanes.move_to_end(camera)
            if len(self._lanes) > MAX_LANES:
                self._lanes.popitem(last=False)
                self._evicted += 1
            return known


def _options_from(spec: ModelSpec) -> MotionOptions:
    known = MotionOptions.__slots__
    unknown = sorted(set(spec.options) - set(known))
    if unknown:
        raise load_error(f"there is no option {unknown[0]!r}", f"Known options: {', '.join(known)}")
    for name, value in spec.options.items():
        if not (math.isfinite(value) and value > 0):
            raise load_error(f"option {name} is {value:g}", "It must be greater than 0")
    return MotionOptions(**spec.options)
