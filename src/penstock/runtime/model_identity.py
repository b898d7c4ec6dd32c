"""Names what a measured cost belongs to: the very content that ran, where it ran, and what else changes its price.

Another file under the same name, another device or another number of streams has another key, so that what was
measured of one is never believed of the other. Nothing is loaded or imported for it.
"""

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from importlib.machinery import PathFinder
from pathlib import Path

import msgspec

from penstock.base.redaction import redact
from penstock.contracts.identity import Role
from penstock.contracts.specs import CameraSpec, ExecutorSpec, ModelSpec
from penstock.models.backends.model_file import parts_of

_CPU_INFO = "/proc/cpuinfo"
_MODEL_FIELDS = ("model name", "cpu model", "hardware", "model")


class HostFacts(msgspec.Struct, frozen=True):
    """What makes two hosts different for a cost."""

    cpu: str
    cores: int
    """that this process may use"""


def host_facts() -> HostFacts:
    """Of the host that this runs on."""
    try:
        text = Path(_CPU_INFO).read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return HostFacts(cpu_name(text) or platform.machine(), len(os.sched_getaffinity(0)))


def cpu_name(cpuinfo: str) -> str:
    """The processor's name in the text of /proc/cpuinfo; empty where it has none."""
    found: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, separator, value = line.partition(":")
        if separator:
            found.setdefault(name.strip().lower(), value.strip())
    return next((found[name] for name in _MODEL_FIELDS if found.get(name)), "")


def model_key(model: ModelSpec, executor: ExecutorSpec) -> str:
    """32 hex digits; empty where the content cannot be read, so that nothing can be known of it."""
    content = _content_hash(model)
    if not content:
        return ""
    text = json.dumps(
        [
            model.kind,
            content,
            model.device,
            model.backend,
            model.head,
            executor.streams,
            model.plugin.rpartition(":")[2],
            sorted(model.parameters.items()),
            sorted(model.options.items()),
        ]
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def camera_key(camera: CameraSpec) -> str:
    """32 hex digits of the stream that is decoded; its address counts without credentials. Empty without one."""
    stream = camera.stream_with(Role.DETECT)
    if stream is None:
        return ""
    text = json.dumps([redact(stream.url), stream.mode.value, sorted(stream.options.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _content_hash(model: ModelSpec) -> str:
    if model.kind == "motion":
        return "motion"
    try:
        if model.kind == "python":
            file = _plugin_file(model.plugin.rpartition(":")[0])
            return _sha256_of([file]) if file is not None else ""
        return _sha256_of(parts_of(Path(model.path))) if model.path else ""
    except OSError:
        return ""


def _plugin_file(where: str) -> Path | None:
    """The file of `file.py` or `package.module`; packages on the way are looked into, and not imported."""
    if where.endswith(".py"):
        return Path(where)
    folders: list[str] | None = None
    spec = None
    for part in where.split("."):
        try:
            spec = PathFinder.find_spec(part, folders)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or ())
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _sha256_of(parts: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()
