"""Cuts a byte stream (ITU-T H.264 and H.265, Annex B) into NAL units, without their start codes."""

START_CODE = b"\x00\x00\x01"


def split(data: bytes) -> list[bytes]:
    """The units in order. What stands before the first start code is left out, and so are padding zeros."""
    units = []
    begin = data.find(START_CODE)
    while begin >= 0:
        begin += len(START_CODE)
        end = data.find(START_CODE, begin)
        # The zero of a four-byte start code and trailing zeros belong to no unit: a unit never ends in zero.
        unit = data[begin : end if end >= 0 else len(data)].rstrip(b"\x00")
        if unit:
            units.append(unit)
        begin = end
    return units
