"""Draws boxes and their names into a picture with nothing but NumPy: capitals of three dots by five, drawn for this."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_GLYPH_COLUMNS = 3
_GLYPH_ROWS = 5
# Five rows from the top, an octal digit each: its three bits are the dots from left to right.
_GLYPHS = {
    "A": "25755", "B": "65656", "C": "34443", "D": "65556", "E": "74647", "F": "74644", "G": "34553", "H": "55755",
    "I": "72227", "J": "11152", "K": "55655", "L": "44447", "M": "57755", "N": "65555", "O": "25552", "P": "65644",
    "Q": "25573", "R": "65655", "S": "34216", "T": "72222", "U": "55557", "V": "55552", "W": "55775", "X": "55255",
    "Y": "55222", "Z": "71247", "0": "75557", "1": "26227", "2": "61247", "3": "61216", "4": "55711", "5": "74616",
    "6": "34652", "7": "71222", "8": "25252", "9": "25316", " ": "00000", ".": "00002", "-": "00700", "_": "00007",
    ":": "02020", "%": "51245", "?": "61202", "/": "11244", "+": "02720", "(": "12221", ")": "42224",
}  # fmt: skip
_COLOURS = (
    (230, 60, 50), (40, 150, 240), (60, 180, 75), (245, 170, 20), (150, 80, 220),
    (20, 190, 190), (240, 80, 180), (140, 140, 20),
)  # fmt: skip
"""RGB, by class id"""


def draw_boxes(picture: NDArray[np.uint8], boxes: Iterable[tuple[Sequence[float], int, str]]) -> None:
    """Draws into `picture`, uint8 height×width×3 RGB, in place.

    A box is (left, top, right, bottom) in pixels, its class id, and its label.
    """
    height, width = picture.shape[:2]
    thick = max(1, round(min(height, width) / 300))
    scale = max(2, round(min(height, width) / 250))
    for xyxy, class_id, label in boxes:
        left, top, right, bottom = (round(value) for value in xyxy)
        colour = np.array(_COLOURS[class_id % len(_COLOURS)], np.uint8)
        left, right = np.clip((left, right), 0, width - 1).tolist()
        top, bottom = np.clip((top, bottom), 0, height - 1).tolist()
        picture[top : top + thick, left : right + 1] = colour
        picture[max(bottom - thick + 1, 0) : bottom + 1, left : right + 1] = colour
        picture[top : bottom + 1, left : left + thick] = colour
        picture[top : bottom + 1, max(right - thick + 1, 0) : right + 1] = colour
        draw_text(picture, label, left, top - (_GLYPH_ROWS + 2) * scale, scale, colour)


def draw_text(
    picture: NDArray[np.uint8], text: str, left: int, top: int, scale: int, ground: NDArray[np.uint8] | None = None
) -> None:
    """White letters, `scale` pixels per dot, on `ground` where one is given; moved into the picture where they would
    leave it, cut where they do not fit. Capitals stand for small letters,
    and a question mark for what has no shape here."""
    dots = _dots(text)
    dots = np.kron(np.pad(dots, 1), np.ones((scale, scale), bool)).astype(bool)
    height, width = picture.shape[:2]
    top = min(max(top, 0), max(height - dots.shape[0], 0))
    left = min(max(left, 0), max(width - dots.shape[1], 0))
    place = picture[top : top + dots.shape[0], left : left + dots.shape[1]]
    dots = dots[: place.shape[0], : place.shape[1]]
    if ground is not None:
        place[:] = ground
    place[dots] = 255


def _dots(text: str) -> NDArray[np.bool_]:
    text = text.upper()
    rows = np.zeros((_GLYPH_ROWS, max(len(text) * (_GLYPH_COLUMNS + 1) - 1, 1)), bool)
    for number, letter in enumerate(text):
        glyph = _GLYPHS.get(letter, _GLYPHS["?"])
        start = number * (_GLYPH_COLUMNS + 1)
        rows[:, start : start + _GLYPH_COLUMNS] = [[int(row) >> bit & 1 for bit in (2, 1, 0)] for row in glyph]
    return rows
