"""Sets up the standard library's logging for one process: redacted, throttled, for people or as JSON lines.

Stages call `logging.getLogger(__name__)` and know nothing of this room.
"""

import atexit
import copy
import logging
import sys
import threading
from typing import TextIO

from penstock.base.clock import Clock, SystemClock
from penstock.telemetry.log_format import FIELDS, HumanFormatter, JsonFormatter, RedactionFilter
from penstock.telemetry.repeats import RepeatCounter

_FLUSH_S = 0.25
_OWN = "penstock"


def level_number(name: str) -> int:
    """`logging`'s number of `debug`, `info`, `warning` or `error`; raises KeyError for others."""
    return logging.getLevelNamesMapping()[name.upper()]


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes whole lines; of repeated warnings and errors, one a second with a count.

    Two records are the same where logger, message template and the camera, model, rule or fault that they name agree.
    Tracebacks are written for the first of them only.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._repeats: RepeatCounter[logging.LogRecord] = RepeatCounter()
        self.addFilter(RedactionFilter())

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            now_ns = round(record.created * 1e9)
            self.write_due(now_ns)
            template = getattr(record, "template", record.msg)
            names = (getattr(record, name, None) for name in (*FIELDS, "fault"))
            key = (record.name, record.levelno, str(template), *names)
            if not self._repeats.offer(key, record, now_ns):
                return
        super().emit(record)

    def write_due(self, utc_ns: int, *, all_of_them: bool = False) -> None:
        """Writes the counts whose second is over."""
        with self.lock or threading.RLock():
            for newest, count in self._repeats.due(utc_ns, all_of_them=all_of_them):
                summary = copy.copy(newest)
                summary.repeats = count
                summary.exc_info = summary.exc_text = None
                super().emit(summary)


def configure_logging(
    form: str = "human", level: str = "info", *, process: str = "penstock", clock: Clock | None = None
) -> "Logging":
    """Begins the log output of this process; it lasts until `stop` or until the process ends."""
    output = Logging(process, clock or SystemClock(), form=form, level=level)
    output.start()
    atexit.register(output.stop)
    return output


class Logging:
    """The log output of this process, between `start` and `stop`."""

    def __init__(
        self, process: str, clock: Clock, *, form: str = "human", level: str = "info", stream: TextIO | None = None
    ) -> None:
        """`form` is `human` or `json`; `level` is `debug`, `info`, `warning` or `error`."""
        self._process = process
        self._clock = clock
        self._form = form
        self._level = level
        self._stream = stream
        self._handler: LineHandler | None = None
        self._before: tuple[list[logging.Handler], int] = ([], logging.WARNING)
        self._own_level = logging.NOTSET
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._flush, name="log-repeats", daemon=True)

    def start(self) -> None:
        """Takes over the root logger, until `stop`."""
        stream = self._stream or sys.stderr
        handler = LineHandler(stream)
        colour = self._form == "human" and stream.isatty()
        handler.setFormatter(
            JsonFormatter(self._process) if self._form == "json" else HumanFormatter(self._process, colour=colour)
        )
        root = logging.getLogger()
        self._before = (root.handlers[:], root.level)
        root.handlers[:] = [handler]
        # Libraries speak where something is wrong; what they do otherwise concerns whoever debugs.
        root.setLevel(logging.INFO if self._level == "debug" else max(logging.WARNING, level_number(self._level)))
        own = logging.getLogger(_OWN)
        self._own_level = own.level
        own.setLevel(level_number(self._level))
        logging.captureWarnings(True)
        self._handler = handler
        self._thread.start()

    def stop(self) -> None:
        """Writes what is still counted and gives the root logger back."""
        handler = self._handler
        if handler is None:
            return
        self._handler = None
        self._ended.set()
        self._thread.join()
        handler.write_due(self._clock.utc_ns(), all_of_them=True)
        logging.captureWarnings(False)
        root = logging.getLogger()
        root.handlers[:], level = self._before
        root.setLevel(level)
        logging.getLogger(_OWN).setLevel(self._own_level)

    def _flush(self) -> None:
        handler = self._handler
        while handler is not None and not self._clock.wait(self._ended, _FLUSH_S):
            handler.write_due(self._clock.utc_ns())
