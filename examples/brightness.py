"""How bright a picture is: the smallest model of one's own, for plugin-model.yaml."""

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class Brightness:
    """States `Brightness` between 0 and 1, and whether it is `Dark`."""

    view: ClassVar = {"width": 160, "height": 90, "format": "gray8"}
    signals = ("Brightness", "Dark")

    def __init__(self, dark_below: float = 0.1) -> None:
        self._dark_below = dark_below

    def predict(self, picture: NDArray[np.uint8], _context: Any) -> dict[str, Any]:
        """`picture` is uint8, 90 rows × 160 columns; the context says which camera it is from and when it was taken."""
        brightness = float(picture.mean()) / 255
        return {"scalars": {"Brightness": brightness, "Dark": brightness < self._dark_below}}
