"""The shape of every model that an executor runs: a view of one frame in, one result out."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import View
from penstock.contracts.results import Result
from penstock.contracts.specs import ModelSpec
from penstock.contracts.work import ModelDescription

Pixels = NDArray[np.uint8]
"""height×width×3, or height×width for `gray8`; read-only and only valid during the call"""


class Model(Protocol):
    """A loaded model. Each stream is one thread; calls of different streams run side by side."""

    @property
    def description(self) -> ModelDescription: ...

    def run(self, stream: int, view: View, pixels: Pixels) -> Result:
        """Analyses one view, waiting for nothing but the computation.

        Raises ModelError with its cause for what it knows; whatever else it raises is reported as `raised`.
        """
        ...

    def close(self) -> None:
        """Gives memory back; called once, when no stream runs."""
        ...


@runtime_checkable
class BatchModel(Model, Protocol):
    """A model that takes several views in one call, up to its description's `max_batch`."""

    def run_batch(self, stream: int, views: Sequence[View], pixels: Sequence[Pixels]) -> list[Result]:
        """As `run`: one result per view, in order. What is wrong with one view ends the call for all."""
        ...


LoadModel = Callable[[ModelSpec, int], Model]
"""(spec, streams) to a model; raises ModelError"""
