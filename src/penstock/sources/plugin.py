"""A source that a user wrote: `python:package.module:factory` or `python:/path/file.py:factory`.

The factory is called with keywords `spec` (StreamSpec), `key` (session number → StreamKey), `clock` and `new_session`
(→ session number), and gives a `contracts.sources.Source`. Whatever its code raises ends a session of its own camera,
as a named fault with file and line, and is tried again; no other camera notices. It runs inside ingest with all the
rights that Penstock has: only name code that you trust.
"""

import importlib
import importlib.util
import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from penstock.base.clock import Clock
from penstock.base.redaction import redact
from penstock.contracts.identity import StreamKey
from penstock.contracts.packets import EncodedImage, EncodedPacket, RawFrame, SourceItem, StreamInfo
from penstock.contracts.sources import SessionStatistics, Source, SourceError, SourceFault, SourceSession
from penstock.contracts.specs import SourceMode, StreamSpec
from penstock.sources import faults

log = logging.getLogger(__name__)

SCHEME = "python:"


class PluginSource:
    """Guards a plugin's source; loads it at the first `wait_open`, and again after a failure."""

    seekable = False

    def __init__(
        self, spec: StreamSpec, *, key: Callable[[int], StreamKey], clock: Clock, new_session: Callable[[], int]
    ) -> None:
        self.url = redact(spec.url)
        # By the configuration, for nothing of the plugin has run yet.
        self.lossless = spec.mode is SourceMode.LOSSLESS
        self.live = not self.lossless
        self._spec = spec
        self._arguments: dict[str, Any] = {"spec": spec, "key": key, "clock": clock, "new_session": new_session}
        self._source: Source | None = None
        self._interrupted = False

    def wait_open(self) -> "PluginSession":
        """Raises SourceError, for whatever the plugin's code raises."""
        if self._interrupted:
            raise faults.interrupted(self.url)
        if self._source is None:
            self._source = self._load()
            if self._interrupted:
                # It came while the plugin was being loaded, which takes as long as it likes.
                raise faults.interrupted(self.url)
        try:
            session = self._source.wait_open()
        except SourceError:
            raise
        except Exception as error:
            raise self._explained(error, "wait_open()") from error
        try:
            return PluginSession(session, self.url)
        except Exception as error:
            raise self._explained(error, "session") from error

    def interrupt(self) -> None:
        self._interrupted = True
        source = self._source
        if source is not None:
            guarded(self.url, "interrupt()", source.interrupt)

    def _load(self) -> Source:
        try:
            factory = find_factory(self._spec.url)
        except PluginMissing as error:
            raise SourceError(SourceFault.NOT_FOUND, f"{self.url}: {error}", "Check the address") from None
        except Exception as error:
            raise self._explained(error, "its module") from error
        try:
            made = factory(**self._arguments)
        except SourceError:
            raise
        except Exception as error:
            raise self._explained(error, "the factory") from error
        missing = [name for name in ("wait_open", "interrupt") if not callable(getattr(made, name, None))]
        if missing:
            what = f"{self.url}: the factory gave a {type(made).__name__} without {' and '.join(missing)}"
            raise SourceError(SourceFault.UNSUPPORTED, what, "docs/sources.md shows a complete example")
        return cast(Source, made)

    def _explained(self, error: Exception, what: str) -> SourceError:
        return explained(self.url, error, what)


class PluginSession:
    """Guards one session of a plugin's source."""

    def __init__(self, inner: SourceSession, url: str) -> None:
        self._inner = inner
        self._url = url
        self.session = inner.session

    def info(self, info_id: int) -> StreamInfo:
        try:
            return self._inner.info(info_id)
        except Exception as error:
            raise explained(self._url, error, f"info({info_id})") from error

    def wait_read(self) -> SourceItem:
        """Raises SourceError, for whatever the plugin's code raises, and for items that are none."""
        try:
            item: object = self._inner.wait_read()
        except SourceError:
            raise
        except Exception as error:
            raise explained(self._url, error, "wait_read()") from error
        if not isinstance(item, (EncodedPacket, EncodedImage, RawFrame)):
            what = f"{self._url}: wait_read() gave a {type(item).__name__}"
            raise SourceError(SourceFault.INVALID_DATA, what, "It gives EncodedPacket, EncodedImage or RawFrame")
        return item

    def interrupt(self) -> None:
        guarded(self._url, "interrupt()", self._inner.interrupt)

    def close(self) -> None:
        guarded(self._url, "close()", self._inner.close)

    def statistics(self) -> SessionStatistics:
        """What the plugin counts; a session need not have this method."""
        asked = getattr(self._inner, "statistics", None)
        if asked is None:
            return SessionStatistics()
        try:
            told: object = asked()
        except Exception as error:
            raise explained(self._url, error, "statistics()") from error
        return told if isinstance(told, SessionStatistics) else SessionStatistics()


class PluginMissing(LookupError):
    """There is no such module, file or name; the message says which."""


def split_address(url: str) -> tuple[str, str]:
    """Module (or file) and name of the factory; raises PluginMissing where the address is not of that form."""
    place, _, name = url.removeprefix(SCHEME).rpartition(":")
    if not place or not name.isidentifier():
        raise PluginMissing("write python:package.module:factory or python:/path/file.py:factory")
    return place, name


def find_factory(url: str) -> Callable[..., Any]:
    """Imports the plugin; raises PluginMissing, or whatever its code raises."""
    place, name = split_address(url)
    module = _module_of(place)
    factory = getattr(module, name, None)
    if not callable(factory):
        raise PluginMissing(f"{place} has no callable {name!r}")
    found: Callable[..., Any] = factory
    return found


def explained(url: str, error: Exception, what: str) -> SourceError:
    """What a plugin raised, and where."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    text = redact(str(error))
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return SourceError(SourceFault.IO_ERROR, f"{url}: {what} raised {said}{where}", "The plugin's code needs mending")


def guarded(url: str, what: str, call: Callable[[], object]) -> None:
    """Calls what must not fail: who stops a camera cannot do anything about its plugin. It is logged."""
    try:
        call()
    except Exception as error:
        log.warning("%s", explained(url, error, what))


def _module_of(place: str) -> ModuleType:
    if place.endswith(".py"):
        path = Path(place)
        if not path.is_file():
            raise PluginMissing(f"there is no file {place}")
        spec = importlib.util.spec_from_file_location(f"penstock_plugin_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise PluginMissing(f"there is no module {place}; it must be importable (PYTHONPATH)") from None
        raise
