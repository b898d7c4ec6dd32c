"""Reads the segments of a JPEG image (ITU-T T.81, annex B) as far as RTP and transcoding need them."""

import msgspec

_START, _END = 0xD8, 0xD9
_BASELINE = 0xC0
_OTHER_FRAMES = frozenset(range(0xC1, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN, _QUANTISATION, _RESTART, _SCAN = 0xC4, 0xDB, 0xDD, 0xDA
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})


class JpegError(ValueError):
    """Not a baseline JPEG image; says what is wrong with it."""


class Component(msgspec.Struct, frozen=True):
    horizontal: int
    vertical: int
    quantisation: int
    dc_table: int = 0
    ac_table: int = 0


class HuffmanTable(msgspec.Struct, frozen=True):
    """How many codes there are of each length 1–16, and their symbols in order."""

    counts: bytes
    symbols: bytes


class JpegImage(msgspec.Struct, frozen=True):
    width_px: int
    height_px: int
    components: tuple[Component, ...]
    """in the order of the scan: Y, Cb, Cr"""
    quantisation: dict[int, bytes]
    """64 bytes each, in zigzag order"""
    huffman: dict[tuple[int, int], HuffmanTable]
    """by class (0 for DC, 1 for AC) and number; empty where the image leaves the usual ones out"""
    restart_interval: int
    scan: bytes
    """entropy-coded data with its restart markers, without the end marker"""

    @property
    def sampling(self) -> tuple[tuple[int, int], ...]:
        return tuple((component.horizontal, component.vertical) for component in self.components)


def parse_jpeg(data: bytes) -> JpegImage:
    """Raises JpegError for what is no baseline image with one interleaved scan of 8-bit samples."""
    if data[:2] != bytes([0xFF, _START]):
        raise JpegError("not a JPEG image: it does not begin with FF D8")
    size: tuple[int, int] = (0, 0)
    frame: dict[int, Component] = {}
    quantisation: dict[int, bytes] = {}
    huffman: dict[tuple[int, int], HuffmanTable] = {}
    restart_interval = 0
    at = 2
    while True:
        marker, body, at = _segment(data, at)
        if marker == _QUANTISATION:
            quantisation |= _quantisation_tables(body)
        elif marker == _HUFFMAN:
            huffman |= _huffman_tables(body)
        elif marker == _RESTART and len(body) >= 2:
            restart_interval = int.from_bytes(body[:2], "big")
        elif marker == _BASELINE:
            size, frame = _frame(body)
        elif marker in _OTHER_FRAMES:
            raise JpegError(f"a JPEG image of kind SOF{marker - 0xC0}: only baseline (SOF0) can be sent")
        elif marker == _SCAN:
            break
    end = data.rfind(b"\xff\xd9", at)
    return JpegImage(
        width_px=size[0],
        height_px=size[1],
        components=_scan_components(body, frame),
        quantisation=quantisation,
        huffman=huffman,
        restart_interval=restart_interval,
        scan=data[at : end if end >= 0 else len(data)],
    )


def _segment(data: bytes, at: int) -> tuple[int, bytes, int]:
    while True:
        if at + 4 > len(data) or data[at] != 0xFF:
            raise JpegError(f"a JPEG marker is missing at byte {at}: the image is cut off or damaged")
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            break
    if marker == _END:
        raise JpegError("a JPEG image without a scan")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    if length < 2 or at + 2 + length > len(data):
        raise JpegError(f"the JPEG segment at byte {at} is cut off")
    return marker, data[at + 4 : at + 2 + length], at + 2 + length


def _quantisation_tables(body: bytes) -> dict[int, bytes]:
    tables = {}
    at = 0
    while at < len(body):
        if body[at] >> 4:
            raise JpegError("JPEG quantisation tables of 16 bits: baseline has 8")
        if at + 65 > len(body):
            raise JpegError("a JPEG quantisation table is cut off")
        tables[body[at] & 15] = body[at + 1 : at + 65]
        at += 65
    return tables


def _huffman_tables(body: bytes) -> dict[tuple[int, int], HuffmanTable]:
    tables = {}
    at = 0
    while at < len(body):
        counts = body[at + 1 : at + 17]
        symbols = body[at + 17 : at + 17 + sum(counts)]
        if len(counts) < 16 or len(symbols) < sum(counts):
            raise JpegError("a JPEG Huffman table is cut off")
        tables[body[at] >> 4, body[at] & 15] = HuffmanTable(counts, symbols)
        at += 17 + len(symbols)
    return tables


def _frame(body: bytes) -> tuple[tuple[int, int], dict[int, Component]]:
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise JpegError("the JPEG frame header is cut off")
    if body[0] != 8:
        raise JpegError(f"a JPEG image of {body[0]} bits per sample: baseline has 8")
    size = (int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big"))
    if 0 in size:
        raise JpegError(f"a JPEG image of {size[0]}×{size[1]} pixels")
    parts = (body[6 + 3 * index : 9 + 3 * index] for index in range(body[5]))
    return size, {name: Component(factors >> 4, factors & 15, table) for name, factors, table in parts}


def _scan_components(body: bytes, frame: dict[int, Component]) -> tuple[Component, ...]:
    if not frame:
        raise JpegError("a JPEG scan before its frame header")
    count = body[0] if body else 0
    if count != len(frame) or len(body) < 1 + 2 * count:
        raise JpegError(f"a JPEG scan of {count} of {len(frame)} components: only one interleaved scan can be sent")
    components = []
    for index in range(count):
        name, tables = body[1 + 2 * index : 3 + 2 * index]
        if name not in frame:
            raise JpegError(f"a JPEG scan of component {name}, which its frame does not have")
        part = frame[name]
        components.append(Component(part.horizontal, part.vertical, part.quantisation, tables >> 4, tables & 15))
    return tuple(components)
