"""How evenly a resource is shared."""

from collections.abc import Sequence


def jain(values: Sequence[float]) -> float:
    """Jain's index (R. Jain, D. Chiu, W. Hawe, 1984): 1 where all are equal, 1/n where one of n has everything.

    1 also where nobody has anything, for then nobody has more than another.
    """
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares > 0 else 1.0
