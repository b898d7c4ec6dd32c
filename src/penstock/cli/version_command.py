"""`penstock version`: read from the packages' records, for loading them takes longer than the answer may."""

import importlib.metadata
import platform
import sys

import penstock


def versions() -> list[tuple[str, str]]:
    """Names and versions; a package that is not installed says so."""
    return [
        ("penstock", penstock.__version__),
        ("python", platform.python_version()),
        ("av", _installed("av")),
        ("ffmpeg", _ffmpeg()),
        ("openvino", _installed("openvino")),
        ("onnxruntime", _installed("onnxruntime")),
        ("platform", f"{platform.system()} {platform.release()} {platform.machine()}"),
    ]


def version_command() -> int:
    for name, number in versions():
        sys.stdout.write(f"{name:<11} {number}\n")
    return 0


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _ffmpeg() -> str:
    try:
        import av  # noqa: PLC0415 - the libraries themselves are the only ones to know
    except ImportError as error:
        return f"cannot be loaded: {error}"
    return str(av.ffmpeg_version_info)
