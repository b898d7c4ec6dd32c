"""Makes baseline JPEG images fit for RTP without loss: the same coefficients, coded with the typical Huffman tables.

RFC 2435 carries no Huffman tables, while encoders such as libavcodec's optimise theirs. Blocks are read symbol by
symbol (ITU-T T.81, annex F) and written again. 4:2:2 images whose MCUs are two rows high (sampled 2x2, 1x2, 1x2), which
RTP cannot express, are put into MCUs of one row. In Python this takes some 0.1 s per image: for films, not for live.
"""

from collections.abc import Callable

from penstock.restream.jpeg_image import Component, HuffmanTable, JpegError, JpegImage, parse_jpeg
from penstock.restream.jpeg_tables import AC_CHROMA, AC_LUMA, DC_CHROMA, DC_LUMA, tables_of, uses_typical_tables

_TALL_422 = ((2, 2), (1, 2), (1, 2))
_WIDE_422 = ((2, 1), (1, 1), (1, 1))
_420 = ((2, 2), (1, 1), (1, 1))
_PEEK_BITS = 16

_Decoder = list[tuple[int, int]]
"""(length, symbol) by the next 16 bits; length 0 where no code begins so"""
_Encoder = dict[int, tuple[int, int]]
"""(code, length) by symbol"""


class _Block:
    """One 8×8 block: its DC value, and its AC codes already written with the typical tables."""

    __slots__ = ("ac_bits", "ac_length", "dc")

    def __init__(self, dc: int, ac_bits: int, ac_length: int) -> None:
        self.dc = dc
        self.ac_bits = ac_bits
        self.ac_length = ac_length


def for_rtp(data: bytes) -> bytes:
    """`data` itself where it is fit, else the same picture coded anew. Raises JpegError where that is impossible."""
    image = parse_jpeg(data)
    if image.sampling in (_420, _WIDE_422) and uses_typical_tables(image):
        return data
    if image.sampling not in (_420, _WIDE_422, _TALL_422):
        said = ", ".join(f"{across}x{down}" for across, down in image.sampling)
        raise JpegError(f"a JPEG image sampled {said}: RTP carries 4:2:0 and 4:2:2 only")
    mcus = _read_mcus(image)
    sampling = image.sampling
    if sampling == _TALL_422:
        mcus = _flattened(mcus, -(-image.width_px // 16), -(-image.height_px // 8))
        sampling = _WIDE_422
    return _written(image, sampling, _entropy_coded(mcus, sampling))


def _codes(table: HuffmanTable) -> list[tuple[int, int, int]]:
    """(code, length, symbol), shortest first (annex C)."""
    codes = []
    code = index = 0
    for length, count in enumerate(table.counts, 1):
        for _ in range(count):
            codes.append((code, length, table.symbols[index]))
            code += 1
            index += 1
        code <<= 1
    return codes


def _decoder(table: HuffmanTable) -> _Decoder:
    entries: _Decoder = [(0, 0)] * (1 << _PEEK_BITS)
    for code, length, symbol in _codes(table):
        begin = code << (_PEEK_BITS - length)
        end = begin + (1 << (_PEEK_BITS - length))
        if end > 1 << _PEEK_BITS:
            raise JpegError("a JPEG Huffman table has more codes than fit")
        entries[begin:end] = [(length, symbol)] * (end - begin)
    return entries


def _encoder(table: HuffmanTable) -> _Encoder:
    return {symbol: (code, length) for code, length, symbol in _codes(table)}


def _read_mcus(image: JpegImage) -> list[list[_Block]]:
    across = -(-image.width_px // (8 * image.components[0].horizontal))
    down = -(-image.height_px // (8 * image.components[0].vertical))
    total = across * down
    have = {(0, 0): DC_LUMA, (1, 0): AC_LUMA, (0, 1): DC_CHROMA, (1, 1): AC_CHROMA} | image.huffman
    readers: list[tuple[int, int, _Decoder, _Decoder, _Encoder]] = []
    known: dict[HuffmanTable, _Decoder] = {}
    for index, component in enumerate(image.components):
        dc = _table(have, 0, component)
        ac = _table(have, 1, component)
        for table in (dc, ac):
            if table not in known:
                known[table] = _decoder(table)
        count = component.horizontal * component.vertical
        readers.append((index, count, known[dc], known[ac], _encoder(tables_of(index > 0)[1])))
    mcus: list[list[_Block]] = []
    for part in _restart_parts(image.scan):
        wanted = min(image.restart_interval or total, total - len(mcus))
        mcus += _read_part(part, wanted, readers)
    if len(mcus) != total:
        raise JpegError("a JPEG scan that ends too early")
    return mcus


def _table(tables: dict[tuple[int, int], HuffmanTable], kind: int, component: Component) -> HuffmanTable:
    number = component.ac_table if kind else component.dc_table
    if (kind, number) not in tables:
        raise JpegError(f"a JPEG image without its Huffman table {number}")
    return tables[kind, number]


def _restart_parts(scan: bytes) -> list[bytes]:
    """The stretches between restart markers, without byte stuffing."""
    parts = []
    begin = at = 0
    while (at := scan.find(b"\xff", at)) >= 0 and at + 1 < len(scan):
        if 0xD0 <= scan[at + 1] <= 0xD7:
            parts.append(scan[begin:at])
            begin = at + 2
        at += 2
    parts.append(scan[begin:])
    return [part.replace(b"\xff\x00", b"\xff") for part in parts]


def _read_part(
    data: bytes, count: int, readers: list[tuple[int, int, _Decoder, _Decoder, _Encoder]]
) -> list[list[_Block]]:
    size_bits = len(data) * 8
    # Ones after the end, as the padding is; the window stays small by reading eight bytes at a time.
    padded = data + b"\xff" * 8
    at = 0
    predictions = [0] * len(readers)
    mcus = []

    def window(at_bit: int) -> int:
        """The 32 bits from `at_bit` on."""
        byte = at_bit >> 3
        return int.from_bytes(padded[byte : byte + 5], "big") >> (8 - (at_bit & 7)) & 0xFFFFFFFF

    for _ in range(count):
        mcu = []
        for index, blocks, dc_codes, ac_codes, ac_typical in readers:
            for _ in range(blocks):
                at, predictions[index], ac_bits, ac_length = _read_block(
                    window, at, predictions[index], dc_codes, ac_codes, ac_typical
                )
                if at > size_bits:
                    raise JpegError("a JPEG scan that ends too early")
                mcu.append(_Block(predictions[index], ac_bits, ac_length))
        mcus.append(mcu)
    return mcus


def _read_block(
    window: Callable[[int], int], at: int, dc: int, dc_codes: _Decoder, ac_codes: _Decoder, ac_typical: _Encoder
) -> tuple[int, int, int, int]:
    """(next bit, DC value, AC bits coded anew, how many)."""
    bits = window(at)
    length, size = dc_codes[bits >> 16]
    if not length or size > 11:
        raise JpegError("a JPEG scan with a code that its tables do not have")
    if size:
        value = bits >> (32 - length - size) & ((1 << size) - 1)
        dc += value if value >> (size - 1) else value - (1 << size) + 1
    at += length + size
    out = out_length = 0
    position = 1
    while position < 64:
        bits = window(at)
        length, symbol = ac_codes[bits >> 16]
        typical = ac_typical.get(symbol)
        if not length or typical is None:
            raise JpegError("a JPEG scan with a code that baseline does not have")
        size = symbol & 15
        at += length + size
        out = (out << typical[1] | typical[0]) << size | (bits >> (32 - length - size) & ((1 << size) - 1))
        out_length += typical[1] + size
        if not symbol:
            break
        position += (symbol >> 4) + 1
    return at, dc, out, out_length


def _flattened(mcus: list[list[_Block]], across: int, rows: int) -> list[list[_Block]]:
    """MCUs of two rows of blocks (Y Y / Y Y, Cb / Cb, Cr / Cr) as twice as many of one row."""
    flat = []
    for row in range(rows):
        lower = row & 1
        for mcu in mcus[row // 2 * across : (row // 2 + 1) * across]:
            flat.append([mcu[2 * lower], mcu[2 * lower + 1], mcu[4 + lower], mcu[6 + lower]])
    return flat


def _entropy_coded(mcus: list[list[_Block]], sampling: tuple[tuple[int, int], ...]) -> bytes:
    components = [index for index, (across, down) in enumerate(sampling) for _ in range(across * down)]
    encoders = [_encoder(tables_of(index > 0)[0]) for index in range(len(sampling))]
    predictions = [0] * len(sampling)
    out = bytearray()
    held = held_bits = 0
    for mcu in mcus:
        for index, block in zip(components, mcu, strict=True):
            difference = block.dc - predictions[index]
            predictions[index] = block.dc
            size = abs(difference).bit_length()
            code, length = encoders[index][size]
            value = difference if difference >= 0 else difference + (1 << size) - 1
            held = ((held << length | code) << size | value) << block.ac_length | block.ac_bits
            held_bits += length + size + block.ac_length
        whole, rest = divmod(held_bits, 8)
        out += (held >> rest).to_bytes(whole, "big")
        held &= (1 << rest) - 1
        held_bits = rest
    if held_bits:
        out.append((held << (8 - held_bits) | (1 << (8 - held_bits)) - 1) & 0xFF)
    return bytes(out).replace(b"\xff", b"\xff\x00")


def _segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def _written(image: JpegImage, sampling: tuple[tuple[int, int], ...], scan: bytes) -> bytes:
    """A whole image without restart markers, with components 1, 2, 3."""
    tables = b"".join(bytes((number,)) + table for number, table in sorted(image.quantisation.items()))
    size = image.height_px.to_bytes(2, "big") + image.width_px.to_bytes(2, "big")
    parts = b"".join(
        bytes((index + 1, across << 4 | down, component.quantisation))
        for index, ((across, down), component) in enumerate(zip(sampling, image.components, strict=True))
    )
    named = ((0x00, DC_LUMA), (0x10, AC_LUMA), (0x01, DC_CHROMA), (0x11, AC_CHROMA))
    huffman = b"".join(bytes((name,)) + table.counts + table.symbols for name, table in named)
    return b"".join(
        (
            b"\xff\xd8",
            _segment(0xDB, tables),
            _segment(0xC0, b"\x08" + size + b"\x03" + parts),
            _segment(0xC4, huffman),
            _segment(0xDA, b"\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"),
            scan,
            b"\xff\xd9",
        )
    )
