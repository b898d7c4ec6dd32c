"""Runs two models over the same pictures in turns, so that both meet the same host in the same mood."""

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from penstock.base.clock import NS_PER_MS, Clock
from penstock.contracts.frames import View
from penstock.models.model import Model
from penstock.models.quantisation.agreement import Agreement, Comparison

WARM_UP_CALLS = 3


class Speed(msgspec.Struct, frozen=True):
    """Time of one call, network and head, in ms."""

    median_ms: float
    quarter_ms: float
    three_quarters_ms: float
    calls: int


class Compared(msgspec.Struct, frozen=True):
    agreement: Agreement
    float_speed: Speed
    int8_speed: Speed

    @property
    def speed_ratio(self) -> float:
        """How many times as fast the 8-bit model is; below 1 it is slower."""
        return self.float_speed.median_ms / self.int8_speed.median_ms


def compare(
    reference: Model, other: Model, pictures: Iterable[tuple[View, NDArray[np.uint8]]], clock: Clock
) -> Compared:
    """Both models on every picture, one call each in turns, the order swapped from picture to picture.

    Raises ValueError where there are no pictures, and what the models raise.
    """
    comparison = Comparison()
    times: tuple[list[int], list[int]] = ([], [])
    for number, (view, pixels) in enumerate(pictures):
        if not number:
            for model in (reference, other) * WARM_UP_CALLS:
                model.run(0, view, pixels)
        results = {}
        for which in (0, 1) if number % 2 else (1, 0):
            began_ns = clock.now_ns()
            results[which] = (reference, other)[which].run(0, view, pixels)
            times[which].append(clock.now_ns() - began_ns)
        comparison.add(results[0], results[1])
    if not times[0]:
        raise ValueError("there are no pictures to compare on")
    return Compared(comparison.agreement(), _speed(times[0]), _speed(times[1]))


def _speed(times_ns: list[int]) -> Speed:
    low, middle, high = (float(q) / NS_PER_MS for q in np.percentile(times_ns, (25, 50, 75)))
    return Speed(round(middle, 3), round(low, 3), round(high, 3), len(times_ns))
