"""A camera or a model in the place of the configuration: told before anybody looks for mistakes in it as a text."""

import re
from pathlib import Path

from penstock.cli.main import UsageProblem
from penstock.config.addresses import meant_address

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""one stroke: a Path makes one of two"""
_VIDEOS = frozenset({".avi", ".flv", ".m3u8", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts", ".webm"})


def configuration_file(path: Path) -> Path:
    """`path` itself; raises UsageProblem where it is an address, a video or a model. An address may hold a password."""
    if (_ADDRESS.match(str(path)) or meant_address(str(path), Path())) and not path.exists():
        raise UsageProblem("CONFIG is a YAML file, and this is an address; write: penstock run --camera ADDRESS")
    if path.suffix.lower() in _VIDEOS:
        raise UsageProblem(f"{path} is a video, not a configuration; write: penstock run --camera {path}")
    if path.suffix.lower() == ".onnx":
        raise UsageProblem(f"{path} is a model, not a configuration; write: penstock run --model {path} --camera …")
    return path
