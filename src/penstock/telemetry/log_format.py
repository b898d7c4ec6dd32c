"""Log records as lines: aligned for people, or one JSON object each; UTC, and without credentials.

Fields travel in `extra=`: `log.warning("stalled for %s", text, extra={"camera": name})`.
"""

import json
import logging
from datetime import UTC, datetime

from penstock.base.redaction import redact

FIELDS = ("camera", "role", "model", "rule", "session")
_PLAIN = frozenset(vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName", "template", "repeats"})
_COLOURS = {"DEBUG": "2", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;31"}


class RedactionFilter(logging.Filter):
    """Renders each record's message and traceback once, with credentials replaced, for all handlers after it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "template"):
            record.template = record.msg
            try:
                text = record.getMessage()
            except (TypeError, ValueError, KeyError) as error:
                text = f"{record.msg!r} cannot be filled in: {error}"
            record.msg, record.args = redact(text), None
            if record.exc_info and not record.exc_text:
                record.exc_text = logging.Formatter().formatException(record.exc_info)
            if record.exc_text:
                record.exc_text = redact(record.exc_text)
            for name, value in list(vars(record).items()):
                if name not in _PLAIN and isinstance(value, str):
                    setattr(record, name, redact(value))
        return True


def utc_text(created_s: float) -> str:
    """ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(created_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _repeats(record: logging.LogRecord) -> int:
    return int(getattr(record, "repeats", 1))


class HumanFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.000Z WARNING ingest-0   front: nothing came for 3 s (12 times)`."""

    def __init__(self, process: str, *, colour: bool = False) -> None:
        super().__init__()
        self._process = process
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        repeats = _repeats(record)
        where = " ".join(str(getattr(record, name)) for name in FIELDS if getattr(record, name, None) is not None)
        text = record.getMessage()
        text = f"{where}: {text}" if where else text
        text += f" ({repeats} times)" if repeats > 1 else ""
        code = _COLOURS.get(record.levelname) if self._colour else None
        level = f"\x1b[{code}m{record.levelname:<7}\x1b[0m" if code else f"{record.levelname:<7}"
        line = f"{utc_text(record.created)} {level} {self._process:<10} {_one_line(text)}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class JsonFormatter(logging.Formatter):
    """One object per line: `time`, `level`, `process`, `logger`, `message`, the record's own fields."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": utc_text(record.created),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if _repeats(record) > 1:
            entry["repeats"] = _repeats(record)
        for name, value in vars(record).items():
            if name not in _PLAIN and not name.startswith("_"):
                entry[name] = value if isinstance(value, str | int | float | bool | None) else redact(str(value))
        if record.exc_text:
            entry["traceback"] = record.exc_text
        return json.dumps(entry, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Messages may hold text from cameras: a line break or escape sequence in it must not forge a log line."""
    return "".join(char if char.isprintable() or char == "\t" else repr(char)[1:-1] for char in text)
