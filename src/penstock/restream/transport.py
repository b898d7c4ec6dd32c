"""What a client proposes in a Transport header (RFC 2326, section 12.39), and which proposal can be taken. Pure."""

import msgspec

LONGEST_HEADER = 2048


class TransportError(ValueError):
    """The header cannot be read; says where."""


class TransportProposal(msgspec.Struct, frozen=True):
    """One of the alternatives that the client names, best first."""

    over_tcp: bool
    profile: str
    """RTP/AVP, RTP/SAVP, …"""
    multicast: bool
    client_ports: tuple[int, int] | None
    interleaved: tuple[int, int] | None
    mode: str


def parse_transport(header: str) -> tuple[TransportProposal, ...]:
    """The proposals in order. Raises TransportError, and nothing else."""
    if len(header) > LONGEST_HEADER:
        raise TransportError(f"a Transport header of more than {LONGEST_HEADER} characters")
    return tuple(_parse_proposal(part.strip()) for part in header.split(",") if part.strip())


def acceptable(proposal: TransportProposal) -> bool:
    """RTP/AVP, unicast, to play: over the connection, or over UDP to ports that the client names."""
    if proposal.profile != "RTP/AVP" or proposal.multicast or proposal.mode not in ("", "PLAY"):
        return False
    return proposal.over_tcp or proposal.client_ports is not None


def _parse_proposal(text: str) -> TransportProposal:
    kind, *parameters = (part.strip() for part in text.split(";"))
    protocol = kind.upper().split("/")
    if len(protocol) not in (2, 3) or not all(protocol):
        raise TransportError(f"a transport is RTP/AVP, RTP/AVP/UDP or RTP/AVP/TCP, not {kind[:40]!r}")
    multicast = False
    client_ports = interleaved = None
    mode = ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        name = name.strip().lower()
        value = value.strip().strip('"')
        if name == "multicast":
            multicast = True
        elif name == "client_port":
            client_ports = _pair(value, 65_535, name)
        elif name == "interleaved":
            interleaved = _pair(value, 255, name)
        elif name == "mode":
            mode = value.upper()
    if client_ports is not None and 0 in client_ports:
        raise TransportError("client_port 0 cannot be sent to")
    return TransportProposal(
        over_tcp=protocol[2:] == ["TCP"],
        profile="/".join(protocol[:2]) if protocol[2:] in ([], ["TCP"], ["UDP"]) else kind.upper(),
        multicast=multicast,
        client_ports=client_ports,
        interleaved=interleaved,
        mode=mode,
    )


def _pair(text: str, largest: int, name: str) -> tuple[int, int]:
    first, dash, second = text.partition("-")
    numbers = (first, second if dash else first)
    if not all(number.isascii() and number.isdigit() and len(number) <= 5 for number in numbers):
        raise TransportError(f"{name} is two numbers such as 4000-4001, not {text[:40]!r}")
    low, high = int(numbers[0]), int(numbers[1]) if dash else int(numbers[0]) + 1
    if low == high or max(low, high) > largest:
        raise TransportError(f"{name}={text[:40]}: two different numbers up to {largest}")
    return low, high
