"""Keeps FFmpeg from taking more memory at once than video needs, whatever a sender announces.

An RTSP server that answers with `Content-Length: 2000000000` was given as much memory, filled within the open time-out
(measured: 1.9 GB in 5 s; refused in 2 ms with the limit). FFmpeg has it (`av_max_alloc`), PyAV does not offer it.
"""

import ctypes
from functools import cache
from pathlib import Path

LARGEST_BYTES = 128 * 1024 * 1024
"""one allocation: a plane of an 8K picture, or the index of a two days' MP4, fits; the default is 2 GiB"""


@cache
def limit_allocations() -> bool:
    """Sets the limit for the whole process, once; False where FFmpeg's library is not found: its own stays."""
    path = _library_path()
    if path is None:
        return False
    try:
        set_limit = ctypes.CDLL(path).av_max_alloc
    except (OSError, AttributeError):
        return False
    set_limit.argtypes, set_limit.restype = [ctypes.c_size_t], None
    set_limit(LARGEST_BYTES)
    return True


def _library_path() -> str | None:
    """The very libavutil that PyAV has loaded: another copy would have a limit of its own."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and Path(fields[5]).name.startswith("libavutil"):
            return fields[5]
    return None
