"""How the NAL units of one picture are dealt out to RTP payloads: small ones share one, large ones are cut.

The same for H.264 (RFC 6184) and H.265 (RFC 7798), which differ in their headers only.
"""

from collections.abc import Callable, Sequence

_LENGTH_BYTES = 2
"""before each unit that shares a payload"""


def packed(
    units: Sequence[bytes],
    largest_bytes: int,
    *,
    header_bytes: int,
    may_share: Callable[[bytes], bool],
    header: Callable[[Sequence[bytes]], bytes],
    fragments: Callable[[bytes, int], list[bytes]],
) -> list[bytes]:
    """Payloads of at most `largest_bytes`, in the order of `units`.

    `header` makes the `header_bytes` in front of units that share a payload; `fragments` cuts one that is too large.
    """
    payloads: list[bytes] = []
    small: list[bytes] = []

    def flush() -> None:
        if len(small) == 1:
            payloads.append(small[0])
        elif small:
            body = b"".join(len(unit).to_bytes(_LENGTH_BYTES, "big") + unit for unit in small)
            payloads.append(header(small) + body)
        small.clear()

    for unit in units:
        if may_share(unit) and header_bytes + _LENGTH_BYTES + len(unit) <= largest_bytes:
            if header_bytes + sum(_LENGTH_BYTES + len(other) for other in [*small, unit]) > largest_bytes:
                flush()
            small.append(unit)
            continue
        flush()
        payloads += [unit] if len(unit) <= largest_bytes else fragments(unit, largest_bytes)
    flush()
    return payloads
