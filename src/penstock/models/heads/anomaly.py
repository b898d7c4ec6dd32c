"""Networks that learnt what is normal: how unusual a picture is, and where, in the outputs of anomalib's exports.

Akcay et al., "Anomalib: A Deep Learning Library for Anomaly Detection", ICIP 2022. Two forms are known:

- named outputs, of which `pred_score` (one number) must be there; `anomaly_map` (1×1×H×W) and `pred_label` may. Such
  exports scale and normalise inside the graph and take red-green-blue in 0–1. Scores are spread so that 0.5 is the
  threshold that training found;
- one output 1×1×H×W, the map alone: the picture is normalised for ImageNet here, the score is the map's highest
  value, and what counts as anomalous only the option `threshold` can say.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.models.backends.backend import Normalisation, PictureInput, TensorInfo
from penstock.models.errors import load_error, output_error
from penstock.models.heads.classification import IMAGENET_MEAN, IMAGENET_STD
from penstock.models.heads.head import Anomaly, HeadSpec, Outputs, check_finite, colour_picture

_SCORE, _LABEL, _MAP = "pred_score", "pred_label", "anomaly_map"


class AnomalyHead:
    """Networks with an output `pred_score`, or with a map 1×1×H×W alone."""

    name = "anomaly"
    options = ("threshold", "normalise")
    expects = "outputs pred_score, anomaly_map, pred_label, or one map 1×1×H×W"

    def recognise(
        self,
        picture: PictureInput,
        outputs: tuple[TensorInfo, ...],
        metadata: Mapping[str, str],  # noqa: ARG002  anomalib writes none into ONNX files
        options: Mapping[str, float],
    ) -> HeadSpec:
        colour_picture(picture, "an anomaly detector")
        known = {info.name: info for info in outputs}
        named = _SCORE in known
        if named:
            score, scores = _SCORE, known.get(_MAP)
        elif len(outputs) == 1:
            score, scores = None, outputs[0]
        else:
            raise load_error(f"an anomaly detector has an output {_SCORE}, and this network has none")
        if scores is not None and not _is_map(scores):
            raise load_error(f"an anomaly map is 1×1×H×W, not {scores}")
        normalise = bool(options.get("normalise", not named))
        return HeadSpec(
            head=self.name,
            view=ViewSpec(picture.width_px, picture.height_px, PixelFormat.RGB24, Fit.STRETCH),
            normalisation=Normalisation(IMAGENET_MEAN, IMAGENET_STD) if normalise else Normalisation(divisor=255.0),
            class_count=0,
            class_names=(),
            decoder=ScoreMapDecoder(
                score,
                _LABEL if named and _LABEL in known else None,
                None if scores is None else scores.name,
                options.get("threshold"),
            ),
        )


class ScoreMapDecoder:
    """A threshold of the configuration goes before the network's own decision."""

    def __init__(self, score: str | None, label: str | None, scores: str | None, threshold: float | None) -> None:
        self._score = score
        self._label = label
        self._map = scores
        self._threshold = threshold

    @property
    def decides(self) -> bool:
        return self._threshold is not None or self._label is not None

    def anomaly(self, outputs: Outputs) -> Anomaly:
        scores = None if self._map is None else self._places(outputs, self._map)
        if self._score is not None:
            score = self._number(outputs, self._score)
        else:
            assert scores is not None
            score = float(scores.max())
        anomalous = None
        if self._threshold is not None:
            anomalous = score >= self._threshold
        elif self._label is not None:
            anomalous = self._number(outputs, self._label) > 0
        return Anomaly(score, anomalous, scores)

    @staticmethod
    def _places(outputs: Outputs, name: str) -> NDArray[np.float32]:
        values = np.asarray(outputs[name], np.float32)
        if values.ndim != 4 or values.shape[:2] != (1, 1) or not values.size:
            raise output_error(f"output {name} has shape {values.shape} instead of (1, 1, height, width)")
        check_finite(values, name)
        places: NDArray[np.float32] = values[0, 0]
        return places

    @staticmethod
    def _number(outputs: Outputs, name: str) -> float:
        values = np.asarray(outputs[name], np.float32)
        if values.size != 1:
            raise output_error(f"output {name} has shape {values.shape}, and one picture has one number")
        check_finite(values, name)
        return float(values.reshape(-1)[0])


def _is_map(info: TensorInfo) -> bool:
    return len(info.shape) == 4 and info.shape[0] in (1, None) and info.shape[1] == 1
