"""A network that knows what is normal, as a model: a score, a decision where there is one, and a map of where."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import View
from penstock.contracts.results import Result, ScoreMap
from penstock.contracts.work import ModelDescription
from penstock.models.backends.backend import Network
from penstock.models.heads.head import AnomalyDecoder, Outputs
from penstock.models.model import Pixels

SCORE, ANOMALOUS = "anomaly_score", "Anomalous"

LONGEST_SIDE = 64
"""of a map as it travels: results cross a socket, and a map in a network's own size would be a quarter of a MiB"""


class AnomalyDetector:
    """States `anomaly_score`, and `Anomalous` (1 or 0) where the network or an option decides; and where, in a map."""

    def __init__(self, description: ModelDescription, network: Network, decoder: AnomalyDecoder) -> None:
        self.description = description
        self._network = network
        self._decoder = decoder

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        return self._result(view, self._network.infer(stream, pixels))

    def run_batch(self, stream: int, views: Sequence[View], pixels: Sequence[Pixels]) -> list[Result]:
        return [self._result(*one) for one in zip(views, self._network.infer_batch(stream, pixels), strict=True)]

    def _result(self, view: View, outputs: Outputs) -> Result:
        found = self._decoder.anomaly(outputs)
        scalars = {SCORE: found.score}
        if found.anomalous is not None:
            scalars[ANOMALOUS] = float(found.anomalous)
        return Result(
            model=self.description.model,
            weight_hash=self.description.weight_hash,
            frame=view.frame,
            scalars=scalars,
            score_map=None if found.scores is None else _packed(found.scores),
        )

    def close(self) -> None:
        self._network.close()


def signals_of(decoder: AnomalyDecoder) -> tuple[str, ...]:
    """Names of the scalars that an anomaly detector with this decoder states."""
    return (SCORE, ANOMALOUS) if decoder.decides else (SCORE,)


def coarse(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """height×width with no side above `LONGEST_SIDE`: the highest value of each square of places, so that no peak is
    lost; squares at the right and lower edge may be cut."""
    step = -(-max(scores.shape) // LONGEST_SIDE)
    if step == 1:
        return scores
    rows, columns = (-(-side // step) for side in scores.shape)
    padded = np.full((rows * step, columns * step), -np.inf, np.float32)
    padded[: scores.shape[0], : scores.shape[1]] = scores
    highest: NDArray[np.float32] = padded.reshape(rows, step, columns, step).max(axis=(1, 3))
    return highest


def _packed(scores: NDArray[np.float32]) -> ScoreMap:
    values = coarse(scores)
    return ScoreMap(values.shape[1], values.shape[0], np.ascontiguousarray(values, "<f4").tobytes())
