"""A picture's number, drawn into it: as blocks that a program reads after any encoding, and as digits for people.

72 blocks of 16×16 pixels, 24 to a row, top left first: 64 bits of the number, most significant first, then the sum
of its eight octets modulo 256. White is 1.
"""

import numpy as np
from numpy.typing import NDArray

BLOCK_PX = 16
COLUMNS = 24
ROWS = 3
_DIGITS = (
    "01110 10001 10011 10101 11001 10001 01110", "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00110 01000 10000 11111", "11110 00001 00001 01110 00001 00001 11110",
    "00010 00110 01010 10010 11111 00010 00010", "11111 10000 11110 00001 00001 10001 01110",
    "00110 01000 10000 11110 10001 10001 01110", "11111 00001 00010 00100 01000 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110", "01110 10001 10001 01111 00001 00010 01100",
)  # fmt: skip
_GLYPHS = [np.array([[bit == "1" for bit in row] for row in digit.split()], bool) for digit in _DIGITS]
_GLYPH_PX = 4


def draw_timecode(picture: NDArray[np.uint8], number: int) -> None:
    """Writes `number` into the top of an H×W×3 picture of at least 96×512 pixels."""
    word = number.to_bytes(8, "big")
    bits = np.unpackbits(np.frombuffer(word + bytes([sum(word) % 256]), np.uint8)).reshape(ROWS, COLUMNS)
    blocks = np.repeat(np.repeat(bits * np.uint8(219) + np.uint8(16), BLOCK_PX, axis=0), BLOCK_PX, axis=1)
    picture[: ROWS * BLOCK_PX, : COLUMNS * BLOCK_PX] = blocks[..., None]
    left = COLUMNS * BLOCK_PX + 8
    text = f"{number:05d}"[-5:]
    picture[: ROWS * BLOCK_PX, left - 8 : left + len(text) * 6 * _GLYPH_PX] = 16
    for place, digit in enumerate(text):
        glyph = np.repeat(np.repeat(_GLYPHS[int(digit)], _GLYPH_PX, axis=0), _GLYPH_PX, axis=1)
        x = left + place * 6 * _GLYPH_PX
        region = picture[10 : 10 + glyph.shape[0], x : x + glyph.shape[1]]
        region[glyph] = 235


def read_timecode(luma: NDArray[np.uint8], drawn_width_px: int | None = None) -> int | None:
    """The number in a picture (H×W luma), None where the checksum fails.

    `drawn_width_px` is the width that the picture was drawn with, where it was scaled since.
    """
    scale = 1.0 if drawn_width_px is None else luma.shape[1] / drawn_width_px
    middles = (np.arange(max(ROWS, COLUMNS)) + 0.5) * BLOCK_PX * scale
    reach = max(int(BLOCK_PX * scale / 4), 1)
    bits = []
    for row in middles[:ROWS].astype(int):
        for column in middles[:COLUMNS].astype(int):
            block = luma[row - reach : row + reach, column - reach : column + reach]
            if block.size == 0:
                return None
            bits.append(bool(block.mean() > 128))
    octets = np.packbits(bits).tobytes()
    return int.from_bytes(octets[:8], "big") if sum(octets[:8]) % 256 == octets[8] else None
