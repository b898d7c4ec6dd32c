"""Connected regions of a coarse grid of cells: runs of each row, joined where they touch.

Two-pass labelling after Rosenfeld and Pfaltz, "Sequential Operations in Digital Picture Processing", JACM 1966,
over runs instead of cells: what is looped over in Python is the few runs, never the cells.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Region(NamedTuple):
    """Bounds of cells that touch each other, also at corners; `right` and `bottom` lie outside."""

    left: int
    top: int
    right: int
    bottom: int


def connected_regions(active: NDArray[np.bool_]) -> list[Region]:
    """Regions of the true cells of a bool rows×columns grid, in order of their first cell, row by row."""
    runs = _runs(active)
    parent = list(range(len(runs)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    above = 0
    for i, (row, start, end) in enumerate(runs):
        while above < i and runs[above][0] < row - 1:
            above += 1
        for j in range(above, i):
            other_row, other_start, other_end = runs[j]
            if other_row == row:
                break
            if other_start <= end and start <= other_end:
                first, second = sorted((root(i), root(j)))
                parent[second] = first

    bounds: dict[int, Region] = {}
    for i, (row, start, end) in enumerate(runs):
        label = root(i)
        known = bounds.get(label)
        if known is None:
            bounds[label] = Region(start, row, end, row + 1)
        else:
            bounds[label] = Region(min(known.left, start), known.top, max(known.right, end), row + 1)
    return list(bounds.values())


def _runs(active: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(row, first column, column after the last) of each row's runs, row by row."""
    edged = np.zeros((active.shape[0], active.shape[1] + 2), np.int8)
    edged[:, 1:-1] = active
    steps = np.diff(edged, axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    return list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
