"""What the numbers were taken on: processor, cores, software, and how busy the machine was before."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from penstock.base.clock import Clock

LIBRARIES = ("penstock", "av", "lark", "matplotlib", "msgspec", "numpy", "onnxruntime", "openvino", "sqlalchemy")


def environment(clock: Clock, settings: dict[str, Any]) -> dict[str, Any]:
    """JSON-ready; holds no names of people or hosts. `settings` are those of the session."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "governor": _text(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or "unknown",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
        "load_average_before": [round(load, 2) for load in os.getloadavg()],
        "revision": revision(),
        "measured_utc_ns": clock.utc_ns(),
        "settings": settings,
    }


def cpu_model() -> str:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def revision() -> str:
    """The checkout's commit, with `+changes` where files differ from it; empty for an installed package."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return ""
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    return f"{commit}+changes" if commit and _git(root, "status", "--porcelain") else commit


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - fixed words, no shell
            command, cwd=root, capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
