"""A network that names what a whole picture shows: its most probable classes, never more than asked for."""

from collections.abc import Sequence

import numpy as np

from penstock.contracts.frames import View
from penstock.contracts.results import Classification, Result
from penstock.contracts.work import ModelDescription
from penstock.models.backends.backend import Network
from penstock.models.heads.head import ClassDecoder, Outputs
from penstock.models.model import Pixels


class Classifier:
    """A compiled network, its decoder, and the choice of classes.

    `class_ids` are the classes to state, none means all; `top_k` of them at most, most probable first. Equals keep the
    network's order.
    """

    def __init__(
        self,
        description: ModelDescription,
        network: Network,
        decoder: ClassDecoder,
        class_names: tuple[str, ...],
        class_ids: tuple[int, ...],
        top_k: int,
    ) -> None:
        self.description = description
        self._network = network
        self._decoder = decoder
        self._class_names = class_names
        self._class_ids = np.array(class_ids or range(len(class_names)), np.intp)
        self._top_k = top_k

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        return self._result(view, self._network.infer(stream, pixels))

    def run_batch(self, stream: int, views: Sequence[View], pixels: Sequence[Pixels]) -> list[Result]:
        return [self._result(*one) for one in zip(views, self._network.infer_batch(stream, pixels), strict=True)]

    def _result(self, view: View, outputs: Outputs) -> Result:
        probabilities = self._decoder.probabilities(outputs)[self._class_ids]
        best = np.argsort(-probabilities, kind="stable")[: self._top_k]
        return Result(
            model=self.description.model,
            weight_hash=self.description.weight_hash,
            frame=view.frame,
            classifications=tuple(
                Classification(class_id, self._class_names[class_id], float(probability))
                for class_id, probability in zip(self._class_ids[best].tolist(), probabilities[best], strict=True)
            ),
        )

    def close(self) -> None:
        self._network.close()
