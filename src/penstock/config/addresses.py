"""Tells what kind of source an address names, and finds addresses that were written without their beginning.

What has no scheme is a file; `10.0.0.5/stream1` is not believed to be one where no such file is there.
"""

import re
from pathlib import Path

SCHEMES = ("rtsp", "rtsps", "http", "https", "push", "v4l2", "file")
PLUGIN = "python:"
"""a source that a user wrote: `python:package.module:factory` or `python:/path/file.py:factory`"""
_DEVICE = re.compile(r"/dev/(video\d+|v4l/.+)")
_MISSPELT = re.compile(r"(rtsps?|https?)(:/?|/{1,2})(?=[^/])", re.IGNORECASE)
_BARE = re.compile(r"[^/\s:]+:.*@[^@]+|\d{1,3}(\.\d{1,3}){3}([:/].*)?|[a-z0-9.-]+:\d{1,5}(/.*)?", re.IGNORECASE)
"""a user name and a password, an IP address, or a host with a port"""


def address_scheme(path: str) -> str:
    """`rtsp` of `rtsp://…`, `v4l2` of a device's path, `python` of a plugin; empty for files."""
    if path.startswith(PLUGIN):
        return "python"
    if _DEVICE.fullmatch(path):
        return "v4l2"
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", path)
    return match.group(1).lower() if match else ""


def meant_address(path: str, base: Path) -> str:
    """`rtsp://10.0.0.5/x` for `10.0.0.5/x` or `rtsp:/10.0.0.5/x`; empty for what has its scheme, or can be a file.

    A file that is there, seen from the folder `base`, is none. May hold a password.
    """
    if address_scheme(path):
        return ""
    misspelt = _MISSPELT.match(path)
    if not misspelt and not _BARE.fullmatch(path):
        return ""
    try:
        if (base / path).exists():
            return ""
    except (OSError, ValueError):
        pass
    return f"{misspelt[1].lower()}://{path[misspelt.end() :]}" if misspelt else f"rtsp://{path}"
