"""Names that never repeat: hosts, boots, runs, sessions."""

import secrets
import socket
from pathlib import Path

_MACHINE_ID = Path("/etc/machine-id")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def host_id() -> str:
    """Stable name of this host: its machine id where it has one, its hostname otherwise."""
    try:
        return _MACHINE_ID.read_text(encoding="ascii").strip() or socket.gethostname()
    except OSError:
        return socket.gethostname()


def boot_id() -> str:
    """Changes with every boot, as the monotonic clock does: together they make instants comparable."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown-boot"


def new_run_id(utc_ns: int) -> str:
    """Sorts by time: 12 hex digits of UTC milliseconds, then 8 random ones."""
    return f"{utc_ns // 1_000_000:012x}{secrets.token_hex(4)}"


def new_session_id(utc_ns: int) -> int:
    """A positive 63-bit number: UTC milliseconds and 22 random bits. Unique across hosts and restarts."""
    return (utc_ns // 1_000_000) << 22 | secrets.randbits(22)
