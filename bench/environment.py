"""What the numbers were taken on: processor, cores, software, revision, and how busy the machine was."""

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.records import Conditions

LIBRARIES = ("av", "lark", "msgspec", "numpy", "openvino", "onnxruntime", "sqlalchemy")
ROOT = Path(__file__).resolve().parents[1]


def environment() -> dict[str, Any]:
    """JSON-ready; holds no names of people or hosts."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_mib": memory_mib(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "libraries": {name: version for name in LIBRARIES if (version := library_version(name))},
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "revision": revision(),
        "measured_utc": utc_now(),
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20


def library_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def revision() -> str:
    """The checkout's commit, with `+changes` where files differ from it; `unknown` outside a checkout."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return "unknown"
    return f"{commit}+changes" if _git("status", "--porcelain") else commit


def utc_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Watch:
    """Notes how busy the machine is from its making to `conditions`."""

    def __init__(self) -> None:
        self._load = os.getloadavg()
        self._began_s = time.monotonic()
        self._before = cpu_ticks()

    def conditions(self) -> Conditions:
        spent = {name: after - self._before[name] for name, after in cpu_ticks().items()}
        total = max(1, sum(spent.values()))
        idle = spent["idle"] + spent["iowait"]
        return Conditions(
            load_before=self._load,
            load_after=os.getloadavg(),
            busy_share=round((total - idle) / total, 3),
            stolen_share=round(spent["steal"] / total, 4),
            took_s=round(time.monotonic() - self._began_s, 1),
        )


def cpu_ticks() -> dict[str, int]:
    """Time of all cores by what it went to, in clock ticks since boot."""
    with open("/proc/stat", encoding="ascii") as stat:
        fields = stat.readline().split()[1:9]
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    return dict(zip(names, map(int, fields), strict=True))


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
