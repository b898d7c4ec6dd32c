"""Where the socket of a pushed camera lies: `push/NAME.sock` in the data folder, for its owner only.

A Unix socket's path may have 107 bytes and data folders may have more, so the socket is named through the folder's
descriptor under /proc/self/fd.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "push"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def name_in(url: str) -> str:
    """NAME of `push://NAME`; raises ValueError where it is not a plain name."""
    name = url.partition("://")[2].rstrip("/")
    if not _NAME.fullmatch(name) or name.startswith("."):
        raise ValueError(f"push://{name}: a name has letters, digits, `_`, `-` and `.`, 64 at most")
    return name


@contextmanager
def short_path(data_dir: Path, name: str) -> Iterator[str]:
    """A path of the socket that is short enough, valid inside; raises OSError where the folder is missing."""
    folder = os.open(data_dir / FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{name}.sock"
    finally:
        os.close(folder)
