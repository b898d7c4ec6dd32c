"""The shape of every model that an executor runs: a view of one frame in, one result out."""

from collections.abc import Callable
from typing import Protocol

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


LoadModel = Callable[[ModelSpec, int], Model]
"""(spec, streams) to a model; raises ModelError"""
