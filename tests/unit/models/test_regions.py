"""Regions are what a flood fill finds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from penstock.models.regions import Region, connected_regions


def grid(*rows: str) -> NDArray[np.bool_]:
    return np.array([[c == "#" for c in row] for row in rows])


@pytest.mark.parametrize(
    ("active", "regions"),
    [
        pytest.param(grid("...", "..."), [], id="nothing"),
        pytest.param(grid("###", "###"), [Region(0, 0, 3, 2)], id="everything"),
        pytest.param(grid("#..", "..#"), [Region(0, 0, 1, 1), Region(2, 1, 3, 2)], id="apart"),
        pytest.param(grid("#..", ".#."), [Region(0, 0, 2, 2)], id="corners touch"),
        pytest.param(grid("#.#", "###"), [Region(0, 0, 3, 2)], id="joined below"),
        pytest.param(grid("#...#", "#.#.#", "##.##"), [Region(0, 0, 5, 3)], id="joined through a corner"),
        pytest.param(grid("#", ".", "#"), [Region(0, 0, 1, 1), Region(0, 2, 1, 3)], id="a row between"),
        pytest.param(grid("..#", ".#.", "#.."), [Region(0, 0, 3, 3)], id="a slope"),
    ],
)
def test_scenarios(active: NDArray[np.bool_], regions: list[Region]) -> None:
    assert connected_regions(active) == regions


def flood_fill(active: NDArray[np.bool_]) -> list[Region]:
    left = {(int(y), int(x)) for y, x in zip(*np.nonzero(active), strict=True)}
    regions = []
    for cell in sorted(left):
        if cell not in left:
            continue
        left.remove(cell)
        todo, cells = [cell], [cell]
        while todo:
            y, x = todo.pop()
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            todo.extend(near)
            cells.extend(near)
        ys, xs = [y for y, _ in cells], [x for _, x in cells]
        regions.append(Region(min(xs), min(ys), max(xs) + 1, max(ys) + 1))
    return regions


@given(rows=st.integers(1, 12), columns=st.integers(1, 12), share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_same_as_a_flood_fill(rows: int, columns: int, share: float, seed: int) -> None:
    active = np.random.default_rng(seed).random((rows, columns)) < share
    assert connected_regions(active) == flood_fill(active)
