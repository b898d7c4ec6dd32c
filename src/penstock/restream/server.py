"""An RTSP server on one asyncio loop: mounts come and go while it runs, and no client can hold up another.

Everything below is pure and told the time; here are the sockets, the loop's timers and the table of who is connected.
"""

import asyncio
import logging
import random
import ssl
import threading
from collections import Counter
from collections.abc import Callable

from penstock.base.clock import NS_PER_S, Clock
from penstock.restream.authentication import Authentication, NoAuthentication
from penstock.restream.broadcast import Broadcast
from penstock.restream.channel import ConnectionWriter
from penstock.restream.connection import Connection
from penstock.restream.conversation import Conversation
from penstock.restream.limits import Limits
from penstock.restream.packet_filter import FilterFactory, unfiltered
from penstock.restream.session import Mount, Session
from penstock.restream.session_table import SessionTable
from penstock.restream.statistics import ServerStatistics
from penstock.restream.transport import TransportProposal

_log = logging.getLogger(__name__)
_TICK_S = 0.25
_FAREWELL_S = 0.5
"""for what is buffered at the end; who does not read by then is cut off"""


class RtspServer:
    """`start`, mounts, `wait_stopped`. All methods belong to the loop that `start` ran in; publishers need not.

    `seed` fixes SSRCs, sequence numbers and timestamps for tests; session ids are never predictable.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        clock: Clock,
        authentication: Authentication | None = None,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
        title: str = "Penstock",
        seed: int | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._authentication = authentication or NoAuthentication()
        self._tls = tls
        self._limits = limits or Limits()
        self._title = title
        self._sessions = SessionTable(
            clock, self._limits, random.SystemRandom() if seed is None else random.Random(seed)
        )
        self._mounts: dict[str, Mount] = {}
        self._connections: dict[Connection, str] = {}
        self._counts: Counter[str] = Counter()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread_id = 0
        self._server: asyncio.Server | None = None
        self._stopping = False
        self._timer: asyncio.TimerHandle | None = None
        self._all_left = asyncio.Event()

    @property
    def port(self) -> int:
        """The port that is listened on, also where 0 was asked for."""
        return self._port

    def url(self, path: str) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'rtsps' if self._tls else 'rtsp'}://{host}:{self._port}/{path.lstrip('/')}"

    async def start(self) -> None:
        """Listens; raises OSError where the address is in use or not this host's."""
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        self._thread_id = threading.get_ident()
        self._server = await self._loop.create_server(self._new_connection, self._host, self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]
        self._tick()

    async def wait_stopped(self) -> None:
        """Says goodbye to every client and waits until all sockets are closed; at most about half a second."""
        server, self._server = self._server, None
        if server is None:
            return
        self._stopping = True
        server.close()
        if self._timer is not None:
            self._timer.cancel()
        for session in self._sessions:
            self.close_session(session)
        for connection in list(self._connections):
            connection.close()
        if self._connections:
            try:
                await asyncio.wait_for(self._all_left.wait(), _FAREWELL_S)
            except TimeoutError:
                for connection in list(self._connections):
                    connection.abort()
                await self._all_left.wait()
        await server.wait_closed()

    def add_mount(
        self,
        path: str,
        broadcast: Broadcast,
        *,
        cached_gop: bool = False,
        authentication: Authentication | None = None,
        new_filter: FilterFactory = unfiltered,
    ) -> None:
        """Serves `broadcast` at `path` from now on; raises ValueError where the path is taken."""
        path = _normal(path)
        if path in self._mounts:
            raise ValueError(f"{path} is served already: remove_mount first, or choose another path")
        self._mounts[path] = Mount(path, broadcast, cached_gop, authentication, new_filter)

    def remove_mount(self, path: str) -> None:
        """Serves it no more and disconnects its clients; raises KeyError for a path that is not served."""
        path = _normal(path)
        if path not in self._mounts:
            raise KeyError(f"{path} is not served")
        self.disconnect(path)
        del self._mounts[path]

    def disconnect(self, path: str) -> int:
        """Ends the sessions of `path`, with a goodbye, and the connections that they came by; returns how many."""
        path = _normal(path)
        sessions = [session for session in self._sessions if session.mount.path == path]
        for session in sessions:
            self._end(session, "closed_ended")
        return len(sessions)

    def statistics(self) -> ServerStatistics:
        sent = self._sessions.totals()
        counted = (
            "refused_connections",
            "requests",
            "malformed",
            "failed_requests",
            "unauthorized",
            "sessions_timed_out",
            "closed_slow",
            "closed_idle",
            "closed_ended",
            "accepted",
        )
        return ServerStatistics(
            connections=len(self._connections),
            **{name: self._counts[name] for name in counted},
            sessions_opened=self._sessions.opened,
            refused_sessions=self._sessions.refused,
            units_sent=sent.units,
            units_unsendable=sent.unsendable,
            units_dropped=sent.dropped_units,
            packets_sent=sent.packets,
            octets_sent=sent.octets,
            packets_dropped=sent.dropped_packets,
            reports_sent=sent.reports_sent,
            reports_heard=self._sessions.reports_heard,
            mounts={path: mount.broadcast.statistics() for path, mount in self._mounts.items()},
            sessions=self._sessions.statistics(),
        )

    # What conversations ask.

    def find_mount(self, path: str) -> Mount | None:
        # A query that means nothing here does not hide a mount.
        return self._mounts.get(path) or self._mounts.get(path.partition("?")[0].rstrip("/") or "/")

    def find_session(self, session_id: str) -> Session | None:
        return self._sessions.find(session_id)

    def open_session(
        self, mount: Mount, proposal: TransportProposal, writer: ConnectionWriter, peer_host: str, local_host: str
    ) -> tuple[Session, str]:
        assert self._loop is not None
        return self._sessions.open(mount, proposal, writer, peer_host, local_host, self._loop)

    def close_session(self, session: Session) -> None:
        """Ends `session` with a goodbye; its connection stays."""
        self._sessions.close(session)

    def wake(self, session: Session) -> Callable[[], None]:
        def woken() -> None:
            if threading.get_ident() == self._thread_id:
                self.pump(session)
            elif self._loop is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self.pump, session)

        return woken

    # What connections tell.

    def admit(self, connection: Connection, peer_host: str) -> bool:
        same_host = sum(1 for host in self._connections.values() if host == peer_host)
        if (
            self._stopping
            or len(self._connections) >= self._limits.connections
            or same_host >= self._limits.connections_per_host
        ):
            self._counts["refused_connections"] += 1
            return False
        self._counts["accepted"] += 1
        self._connections[connection] = peer_host
        self._all_left.clear()
        return True

    def left(self, connection: Connection) -> None:
        if self._connections.pop(connection, None) is None:
            return
        for session in self.sessions_of(connection):
            self.close_session(session)
        if not self._connections:
            self._all_left.set()

    def count(self, what: str) -> None:
        self._counts[what] += 1

    def sessions_of(self, connection: Connection) -> list[Session]:
        return self._sessions.of(connection)

    def pump(self, session: Session) -> None:
        if session.over:
            return
        if session.sender.ended:
            _log.info("%s: ended for %s: %s", session.mount.path, session.peer_host, session.sender.ended)
            self._end(session, "closed_ended")
            return
        now_ns = self._clock.now_ns()
        session.sender.pump(now_ns, self._clock.utc_ns() - now_ns)

    def _new_connection(self) -> Connection:
        return Connection(self, self._clock, self._limits, self._converse)

    def _converse(self, connection: Connection, peer_host: str, local_host: str) -> Conversation:
        return Conversation(
            self,
            connection,
            self._authentication,
            peer_host=peer_host,
            local_host=local_host,
            title=self._title,
            timeout_s=self._limits.session_timeout_s,
        )

    def _end(self, session: Session, counted: str) -> None:
        self._counts[counted] += 1
        self.close_session(session)
        if isinstance(session.opener, Connection):
            session.opener.close()

    def _tick(self) -> None:
        assert self._loop is not None
        now_ns = self._clock.now_ns()
        for session in self._sessions:
            if session.expired(now_ns, self._limits.session_timeout_s * NS_PER_S):
                self._end(session, "sessions_timed_out")
        busy = {session.connection for session in self._sessions}
        for connection in list(self._connections):
            overdue = connection.overdue(now_ns, has_session=connection in busy)
            if overdue:
                self._counts[f"closed_{overdue}"] += 1
                connection.abort()
        self._timer = self._loop.call_later(_TICK_S, self._tick)


def _normal(path: str) -> str:
    return "/" + path.strip("/")
