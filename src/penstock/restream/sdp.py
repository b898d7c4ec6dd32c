"""Describes one video stream to a client (SDP, RFC 8866, as RTSP uses it: RFC 2326, appendix C)."""

from penstock.restream.media import MediaDescription
from penstock.restream.payload_formats import format_for

TRACK = "trackID=0"
_ANYWHERE = {"IP4": "IP4 0.0.0.0", "IP6": "IP6 ::"}
"""the client's own address: it says in SETUP where it wants the packets"""


def describe(description: MediaDescription, *, session_id: int, version: int, address: str, title: str) -> str:
    """The whole body, with CRLF line ends. Raises PayloadError where the description cannot be expressed."""
    family = "IP6" if ":" in address else "IP4"
    carrier = format_for(description.codec)
    kind = carrier.payload_type
    parameters = carrier.parameters(description)
    lines = [
        "v=0",
        f"o=- {session_id} {version} IN {family} {address}",
        f"s={_one_line(title)}",
        f"c=IN {_ANYWHERE[family]}",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        f"m=video 0 RTP/AVP {kind}",
        f"a=rtpmap:{kind} {carrier.encoding}",
    ]
    if parameters:
        lines.append(f"a=fmtp:{kind} {parameters}")
    if description.fps > 0:
        lines.append(f"a=framerate:{round(description.fps, 3):g}")
    lines.append(f"a=control:{TRACK}")
    return "".join(f"{line}\r\n" for line in lines)


def _one_line(text: str) -> str:
    return " ".join(text.split()) or "-"
