"""A user's own model: a Python class with one method, named in the configuration.

    class Model:
        view = {"width": 320, "height": 180, "format": "rgb24"}
        class_names = ("lamp",)
        signals = ("brightness",)

        def __init__(self, threshold: float = 200.0): ...

        def predict(self, picture, context):
            return {"detections": [((10, 20, 50, 90), 0.8, "lamp")], "scalars": {"brightness": 0.4}}

A class that is quicker with several pictures at once says so with `max_batch` (2–64) and a second method,
`predict_batch(self, pictures, contexts)`, which gets two lists and gives back a list of answers.

`view`, `class_names`, `picture_classes`, `signals` and `thread_safe` may also be set by the constructor, which gets the
configuration's `parameters` by name. `predict` gets the picture as uint8 rows×columns×channels (rows×columns for
`gray8`), a copy that it may change and keep, and a `Context`. What it may give back is `plugin_answer`'s to say.

What the class does wrong is named with the class, the method and what to do, and ends this one call: `raised` where
it raises, `bad_output` where its answer is none. It runs in an executor of its own, so that a hang or a crash costs
no other model anything.
"""

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace

from penstock.contracts.frames import Fit, PixelFormat, View, ViewSpec
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription
from penstock.models.class_names import class_ids, names_for
from penstock.models.detector import Selection
from penstock.models.errors import load_error, output_error
from penstock.models.heads.head import CONFIDENCE
from penstock.models.model import Pixels
from penstock.models.plugin_answer import AnswerReader
from penstock.models.plugin_source import PluginSource, find_plugin

DEFAULT_VIEW = ViewSpec(640, 360, PixelFormat.RGB24, Fit.STRETCH)

_LONGEST_SIDE_PX = 8192
_LARGEST_BATCH = 64
_LARGEST_BYTES = 1920 * 1080 * 3
"""of a view: what a slot of shared memory holds"""


@dataclass(frozen=True, slots=True)
class Context:
    """Which picture it is."""

    camera: str
    session: int
    """another number means that the camera was connected anew: what was remembered of it may be of another scene"""
    seq: int
    """counts the camera's pictures within the session"""
    capture_ns: int
    """monotonic nanoseconds; differences tell how much time lies between two pictures of a camera"""
    width_px: int
    height_px: int
    """size of the camera's own picture, from which the one given was made"""


class PluginModel:
    """One object of the user's class, called by one thread at a time unless it says that it is thread safe."""

    def __init__(
        self, description: ModelDescription, source: PluginSource, predict: Callable[..., Any], reader: AnswerReader
    ) -> None:
        self.description = description
        self._source = source
        self._predict = predict
        self._reader = reader

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:  # noqa: ARG002  what it keeps is its own
        try:
            answer = self._predict(np.array(pixels), context_of(view))
        except MemoryError:
            raise
        except BaseException as error:
            raise self._source.raised("predict", error) from error
        return self._result(view, answer)

    def _result(self, view: View, answer: Any) -> Result:
        detections, classifications, scalars = self._reader.read(answer, view)
        return Result(
            model=self.description.model,
            weight_hash=self.description.weight_hash,
            frame=view.frame,
            detections=detections,
            classifications=classifications,
            scalars=scalars,
        )

    def close(self) -> None:
        """Lets go of the user's object."""
        del self._predict


class BatchPluginModel(PluginModel):
    """One whose class takes several pictures in one call."""

    def __init__(
        self,
        description: ModelDescription,
        source: PluginSource,
        predict: Callable[..., Any],
        reader: AnswerReader,
        predict_batch: Callable[..., Any],
    ) -> None:
        super().__init__(description, source, predict, reader)
        self._predict_batch = predict_batch

    def run_batch(self, stream: int, views: Sequence[View], pixels: Sequence[Pixels]) -> list[Result]:  # noqa: ARG002
        try:
            answers = self._predict_batch([np.array(one) for one in pixels], [context_of(view) for view in views])
        except MemoryError:
            raise
        except BaseException as error:
            raise self._source.raised("predict_batch", error) from error
        if not isinstance(answers, Sequence) or len(answers) != len(views):
            found = f"{len(answers)} answers" if isinstance(answers, Sequence) else type(answers).__name__
            raise output_error(
                f"{self._source.name}.predict_batch gave {found} for {len(views)} pictures",
                "Give back a list with one answer per picture, in order",
            )
        return [self._result(view, answer) for view, answer in zip(views, answers, strict=True)]

    def close(self) -> None:
        super().close()
        del self._predict_batch


def context_of(view: View) -> Context:
    """What the user's class is told of the picture."""
    frame = view.frame
    return Context(
        camera=frame.id.stream.camera,
        session=frame.id.stream.session,
        seq=frame.id.seq,
        capture_ns=frame.capture.mono_ns,
        width_px=frame.width_px,
        height_px=frame.height_px,
    )


def load_plugin(spec: ModelSpec, streams: int) -> PluginModel:
    """Finds the class, makes one object of it and asks what it states; raises ModelError (`load_failed`)."""
    unknown = sorted(spec.options)
    if unknown:
        raise load_error(f"there is no option {unknown[0]!r} of a Python class", "Give it under `parameters`")
    source = find_plugin(spec.plugin)
    made = source.make(spec.parameters)
    if streams != 1 and getattr(made, "thread_safe", False) is not True:
        raise source.fault(
            f"its executor has {streams} streams, and nothing says that it may be called by several threads at once",
            "Set `thread_safe = True` in the class if it may, or `streams: 1` under the executor",
        )
    predict = getattr(made, "predict", None)
    if not callable(predict):
        raise source.fault("has no method predict", "Write `def predict(self, picture, context):`")
    try:
        inspect.signature(predict).bind("picture", "context")
    except TypeError as error:
        raise source.fault(
            f"predict cannot be called with a picture and a context ({error})",
            "Write `def predict(self, picture, context):`",
        ) from error
    class_names = source.names(made, "class_names")
    picture_classes = source.names(made, "picture_classes")
    if spec.class_names:
        class_names = names_for(len(class_names) or None, spec.class_names, ())
    wanted = class_ids(spec.labels, class_names)
    confidence = CONFIDENCE if spec.confidence is None else spec.confidence
    selection = Selection(class_names, wanted, confidence, None, spec.max_detections)
    signals = source.names(made, "signals")
    description = ModelDescription(
        model=spec.name,
        view=_view_of(source, getattr(made, "view", None)),
        weight_hash=hashlib.sha256(source.text).hexdigest(),
        head="python",
        class_names=selection.stated,
        device=spec.device,
        signals=signals,
        picture_classes=picture_classes,
    )
    reader = AnswerReader(source, class_names, picture_classes, signals, selection, spec.top_k)
    max_batch = _max_batch_of(source, made)
    if max_batch == 1:
        return PluginModel(description, source, predict, reader)
    return BatchPluginModel(replace(description, max_batch=max_batch), source, predict, reader, made.predict_batch)


def _max_batch_of(source: PluginSource, made: Any) -> int:
    """1 for a class that takes one picture at a time."""
    said = getattr(made, "max_batch", 1)
    if isinstance(said, bool) or not isinstance(said, int) or not 1 <= said <= _LARGEST_BATCH:
        raise source.fault(f"max_batch is {said!r}", f"Give a whole number from 1 to {_LARGEST_BATCH}")
    if said > 1 and not callable(getattr(made, "predict_batch", None)):
        raise source.fault(
            f"max_batch is {said}, and there is no method predict_batch",
            "Write `def predict_batch(self, pictures, contexts):`, or leave max_batch out",
        )
    return said


def _view_of(source: PluginSource, hints: object) -> ViewSpec:
    """`view` of the class: a dictionary with some of width, height, format, fit and pad; nothing means the default."""
    if hints is None:
        return DEFAULT_VIEW
    if not isinstance(hints, Mapping):
        raise source.fault(f"view is {hints!r}", 'Write `view = {"width": 640, "height": 360, "format": "rgb24"}`')
    known = {"width": "width_px", "height": "height_px", "format": "format", "fit": "fit", "pad": "pad"}
    changes: dict[str, Any] = {}
    for key, value in hints.items():
        if key not in known:
            raise source.fault(f"view has a key {key!r}", f"Known keys: {', '.join(known)}")
        changes[known[key]] = _view_value(source, key, value)
    view = replace(DEFAULT_VIEW, **changes)
    if view.nbytes > _LARGEST_BYTES:
        raise source.fault(
            f"view asks for {view.width_px}×{view.height_px}, and a picture may have 1920×1080 at most",
            "Ask for a smaller one",
        )
    return view


def _view_value(source: PluginSource, key: str, value: object) -> object:
    if key in ("format", "fit"):
        choices = list(PixelFormat) if key == "format" else list(Fit)
        chosen = next((choice for choice in choices if choice == value), None)
        if chosen is None:
            raise source.fault(f"view's {key} is {value!r}", f"Choose one of: {', '.join(choices)}")
        return chosen
    low, high = (0, 255) if key == "pad" else (1, _LONGEST_SIDE_PX)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise source.fault(f"view's {key} is {value!r}", f"Give a whole number from {low} to {high}")
    return value
