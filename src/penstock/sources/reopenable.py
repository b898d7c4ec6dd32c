"""What every kind of source has in common: it opens sessions again and again, until it is interrupted for good."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from penstock.base.clock import Clock
from penstock.base.redaction import redact
from penstock.contracts.identity import StreamKey
from penstock.contracts.sources import SourceSession
from penstock.contracts.specs import StreamSpec
from penstock.sources import faults
from penstock.sources.interruption import Interruption

Session = TypeVar("Session", bound=SourceSession)


class ReopenableSource(ABC, Generic[Session]):
    """A `contracts.sources.Source`; each variant says how it connects."""

    live = True
    lossless = False
    seekable = False

    def __init__(
        self, spec: StreamSpec, *, key: Callable[[int], StreamKey], clock: Clock, new_session: Callable[[], int]
    ) -> None:
        self._spec = spec
        self._key = key
        self._clock = clock
        self._new_session = new_session
        self._interruption = Interruption()
        self._session: Session | None = None
        self._url = redact(spec.url)

    @property
    def url(self) -> str:
        return self._url

    def wait_open(self) -> Session:
        """Opens a session from the beginning, in the time that the variant's `_wait_connect` states.

        Raises SourceError: what is wrong and what to do, or `interrupted`.
        """
        self._refuse_interrupted()
        session = self._session = self._wait_connect()
        if self._interruption.is_set():
            session.interrupt()
        return session

    def interrupt(self) -> None:
        """Final: the session open now, and every later one, ends soon."""
        self._interruption.set()
        if self._session is not None:
            self._session.interrupt()

    @abstractmethod
    def _wait_connect(self) -> Session: ...

    def _next_key(self) -> StreamKey:
        return self._key(self._new_session())

    def _refuse_interrupted(self) -> None:
        if self._interruption.is_set():
            raise faults.interrupted(self._url) from None
