"""What a user's `predict` may give back, and the words for everything else.

A dictionary with any of

- `detections`: a list of (xyxy, confidence, class), or arrays under `xyxy` (N×4), `confidence` (N) and `class_id`
  (N), as a dictionary or as attributes of one object, which a `supervision.Detections` has. Boxes are left, top,
  right, bottom in pixels of the picture that was given; a class is a name of `class_names` or its index;
- `classifications`: a list of (class, probability); a class is a name of `picture_classes` or its index;
- `scalars`: numbers and truths by the names in `signals`.

Boxes alone may be given without the dictionary around them, and None means: nothing to say of this picture. That is
not "I looked and saw nothing", which is an empty list. Confidences and probabilities lie between 0 and 1, and all
numbers are finite. Boxes below the configured confidence, and those beyond the most that is configured, are dropped.
"""

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import View
from penstock.contracts.results import Classification, Detections
from penstock.models.detector import Selection
from penstock.models.heads.head import Candidates
from penstock.models.plugin_source import PluginSource

_KEYS = ("detections", "classifications", "scalars")
_ARRAYS = ("xyxy", "confidence", "class_id")
_INFINITE = 1e30
_FORM = (
    "Return a dictionary with `detections` [((left, top, right, bottom), confidence, class), …], `classifications` "
    "[(class, probability), …] or `scalars` {name: number}"
)

Answer = tuple[Detections | None, tuple[Classification, ...], dict[str, float]]


class AnswerReader:
    """Checks answers of one plugin and turns them into what a result holds."""

    def __init__(
        self,
        source: PluginSource,
        class_names: tuple[str, ...],
        picture_classes: tuple[str, ...],
        signals: tuple[str, ...],
        selection: Selection,
        top_k: int,
    ) -> None:
        self._source = source
        self._class_names = class_names
        self._picture_classes = picture_classes
        self._signals = signals
        self._selection = selection
        self._top_k = top_k

    def read(self, answer: object, view: View) -> Answer:
        """Raises ModelError (`bad_output`) that names the plugin, what is wrong and what to return."""
        if answer is None:
            return None, (), {}
        if not isinstance(answer, Mapping) or all(name in answer for name in _ARRAYS):
            answer = {"detections": answer}
        unknown = [key for key in answer if key not in _KEYS]
        if unknown:
            raise self._source.nonsense(f"gave a dictionary with a key {unknown[0]!r}", _FORM)
        detections = None
        if (boxes := answer.get("detections")) is not None:
            frame = view.frame
            found = self._candidates(boxes)
            detections = self._selection.detections(found, view.to_source, frame.width_px, frame.height_px)
        return detections, self._classes(answer.get("classifications")), self._scalars(answer.get("scalars"))

    def _candidates(self, boxes: Any) -> Candidates:
        if isinstance(boxes, Mapping) and all(name in boxes for name in _ARRAYS):
            parts = [boxes[name] for name in _ARRAYS]
        elif all(hasattr(boxes, name) for name in _ARRAYS):
            parts = [getattr(boxes, name) for name in _ARRAYS]
        elif isinstance(boxes, Iterable) and not isinstance(boxes, str | bytes | Mapping):
            rows = [self._row(row) for row in boxes]
            parts = [[row[i] for row in rows] for i in range(3)]
        else:
            raise self._source.nonsense(f"gave {_shown(boxes)} as detections", _FORM)
        xyxy = self._numbers("xyxy", parts[0])
        if not xyxy.size:
            xyxy = xyxy.reshape(0, 4)
        if xyxy.ndim != 2 or xyxy.shape[1] != 4:
            raise self._source.nonsense(f"gave boxes of shape {xyxy.shape}", "Return four numbers per box: N×4")
        confidence = self._numbers("confidence", parts[1], len(xyxy))
        ids = self._ids(parts[2], len(xyxy))
        self._check_boxes(xyxy, confidence)
        kept = confidence >= self._selection.floor
        return Candidates(
            xyxy[kept].astype(np.float32), confidence[kept].astype(np.float32), ids[kept].astype(np.int32)
        )

    def _row(self, row: Any) -> tuple[Any, Any, int]:
        if not isinstance(row, Sequence) or isinstance(row, str | bytes) or len(row) != 3:
            raise self._source.nonsense(
                f"gave {_shown(row)} as one detection", "Return ((left, top, right, bottom), confidence, class) per box"
            )
        return row[0], row[1], self._id(row[2], self._class_names, "class_names")

    def _ids(self, given: Any, count: int) -> NDArray[np.int64]:
        if given is None:
            raise self._source.nonsense("gave boxes without class_id", "Return a class id per box, from 0")
        values = self._numbers("class_id", given, count)
        if (values != np.rint(values)).any():
            raise self._source.nonsense(f"gave class ids that are no whole numbers: {_shown(given)}", "Return integers")
        for value in np.unique(values):
            self._id(int(value), self._class_names, "class_names")
        return values.astype(np.int64)

    def _check_boxes(self, xyxy: NDArray[np.float64], confidence: NDArray[np.float64]) -> None:
        backward = np.flatnonzero((xyxy[:, 2:] < xyxy[:, :2]).any(axis=1))
        if backward.size:
            raise self._source.nonsense(
                f"gave a box whose right or lower edge comes before the other: {xyxy[backward[0]].tolist()}",
                "Return left, top, right, bottom, not a width and a height",
            )
        self._check_share("confidence", confidence)

    def _check_share(self, what: str, values: NDArray[np.float64]) -> None:
        outside = values[(values < 0) | (values > 1)]
        if outside.size:
            raise self._source.nonsense(f"gave a {what} of {outside[0]:g}", "Return numbers between 0 and 1")

    def _classes(self, given: Any) -> tuple[Classification, ...]:
        if given is None:
            return ()
        form = "Return (class, probability) per class"
        if not isinstance(given, Iterable) or isinstance(given, str | bytes | Mapping):
            raise self._source.nonsense(f"gave {_shown(given)} as classifications", form)
        pairs = []
        for pair in given:
            if not isinstance(pair, Sequence) or isinstance(pair, str | bytes) or len(pair) != 2:
                raise self._source.nonsense(f"gave {_shown(pair)} as one classification", form)
            class_id = self._id(pair[0], self._picture_classes, "picture_classes")
            pairs.append((class_id, pair[1]))
        probabilities = self._numbers("probabilities", [p for _, p in pairs], len(pairs))
        self._check_share("probability", probabilities)
        best = np.argsort(-probabilities, kind="stable")[: self._top_k]
        return tuple(
            Classification(pairs[i][0], self._picture_classes[pairs[i][0]], float(probabilities[i])) for i in best
        )

    def _scalars(self, given: Any) -> dict[str, float]:
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            raise self._source.nonsense(f"gave {_shown(given)} as scalars", "Return a dictionary {name: number}")
        scalars = {}
        for name, value in given.items():
            if name not in self._signals:
                listed = ", ".join(self._signals) or "none"
                raise self._source.nonsense(
                    f"gave a scalar {name!r}", f"Name it in the class's `signals`, which are: {listed}"
                )
            if not isinstance(value, numbers.Real | np.bool_) or not math.isfinite(value):
                raise self._source.nonsense(f"gave {_shown(value)} as scalar {name!r}", "Return a finite number")
            scalars[name] = float(value)
        return scalars

    def _id(self, given: Any, names: tuple[str, ...], attribute: str) -> int:
        """The index of a class given by name or by index."""
        if isinstance(given, str) and given in names:
            return names.index(given)
        if isinstance(given, int | np.integer) and not isinstance(given, bool) and 0 <= int(given) < len(names):
            return int(given)
        shown = ", ".join(names[:20]) + ("…" if len(names) > 20 else "") or "none"
        raise self._source.nonsense(
            f"gave a class {_shown(given)}", f"Return a name of the class's `{attribute}`, or its index: {shown}"
        )

    def _numbers(self, what: str, given: Any, count: int | None = None) -> NDArray[np.float64]:
        try:
            values = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            raise self._source.nonsense(f"gave {what} that are no numbers: {_shown(given)}", _FORM) from None
        if count is not None and values.shape != (count,):
            raise self._source.nonsense(
                f"gave {what} of shape {values.shape}, and {count} of them belong there", f"Return {count} numbers"
            )
        # NaN is not below anything either; what a float32 cannot hold counts as infinite.
        if not (np.abs(values) < _INFINITE).all():
            raise self._source.nonsense(
                f"gave {what} that are not finite numbers", "Return no NaN and no infinity; leave such rows out"
            )
        return values


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else f"{text[:77]}..."
