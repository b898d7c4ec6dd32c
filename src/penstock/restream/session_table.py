"""Who has a session: opens each on the channel agreed on, finds and closes it, and keeps the sums of past ones."""

import asyncio
import logging
import random
import secrets
from collections import Counter
from collections.abc import Iterator

from penstock.base.clock import NS_PER_S, Clock
from penstock.restream.channel import ConnectionWriter, InterleavedChannel
from penstock.restream.conversation import RefusedError
from penstock.restream.limits import Limits
from penstock.restream.payload_formats import format_for
from penstock.restream.sender import RtpStart, Sender, SenderStatistics
from penstock.restream.session import Mount, Session
from penstock.restream.statistics import SessionStatistics
from penstock.restream.transport import TransportProposal
from penstock.restream.udp import NoPortsError, UdpChannel

_log = logging.getLogger(__name__)
_LARGEST_TCP_PAYLOAD = 60_000
"""an interleaved frame has 16 bits for its length"""


class SessionTable:
    """All sessions of one server; used in its loop only."""

    def __init__(self, clock: Clock, limits: Limits, numbers: random.Random) -> None:
        self._clock = clock
        self._limits = limits
        self._random = numbers
        self._sessions: dict[str, Session] = {}
        self._served: Counter[str] = Counter()
        self._past = SenderStatistics(*[0] * len(SenderStatistics.__struct_fields__))
        self._past_reports_heard = 0
        self.opened = 0
        self.refused = 0

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def find(self, session_id: str) -> Session | None:
        return self._sessions.get(session_id)

    def of(self, connection: ConnectionWriter) -> list[Session]:
        """The sessions whose packets go through `connection`."""
        return [session for session in self._sessions.values() if session.connection is connection]

    def totals(self) -> SenderStatistics:
        """Summed over all sessions, past and present."""
        return _sum([self._past, *(session.sender.statistics() for session in self)])

    @property
    def reports_heard(self) -> int:
        return self._past_reports_heard + sum(session.reports_heard for session in self)

    def statistics(self) -> tuple[SessionStatistics, ...]:
        return tuple(_session_statistics(session) for session in self)

    def open(
        self,
        mount: Mount,
        proposal: TransportProposal,
        writer: ConnectionWriter,
        peer_host: str,
        local_host: str,
        loop: asyncio.AbstractEventLoop,
    ) -> tuple[Session, str]:
        """A new session and its Transport header; raises RefusedError where a bound is reached."""
        description = mount.broadcast.description
        assert description is not None, "the conversation has looked"
        if len(self._sessions) >= self._limits.sessions:
            self.refused += 1
            raise RefusedError(453)
        session_id = secrets.token_hex(8)
        start = RtpStart(*(self._random.getrandbits(bits) for bits in (32, 16, 32)))
        channel, transport = self._channel(session_id, proposal, writer, peer_host, local_host, loop)
        number = self._served[mount.path]
        self._served[mount.path] += 1
        sender = Sender(
            mount.broadcast,
            channel,
            codec_payload_type=format_for(description.codec).payload_type,
            start=start,
            cname=f"penstock@{local_host}",
            packet_filter=mount.new_filter(number),
            cached_gop=mount.cached_gop,
            report_interval_ns=round(self._limits.report_interval_s * NS_PER_S),
        )
        session = Session(
            session_id,
            mount,
            sender,
            channel,
            peer_host=peer_host,
            connection=writer if proposal.over_tcp else None,
            opener=writer,
            now_ns=self._clock.now_ns(),
        )
        self._sessions[session_id] = session
        self.opened += 1
        return session, f'{transport};ssrc={start.ssrc:08X};mode="PLAY"'

    def close(self, session: Session) -> None:
        """Says goodbye and gives back the channel; twice does no harm."""
        if session.over:
            return
        session.over = True
        session.sender.finish()
        session.channel.close()
        self._past = _sum([self._past, session.sender.statistics()])
        self._past_reports_heard += session.reports_heard
        self._sessions.pop(session.session_id, None)

    def _channel(
        self,
        session_id: str,
        proposal: TransportProposal,
        writer: ConnectionWriter,
        peer_host: str,
        local_host: str,
        loop: asyncio.AbstractEventLoop,
    ) -> tuple[InterleavedChannel | UdpChannel, str]:
        if proposal.over_tcp:
            numbers = self._interleaved(proposal, writer)
            frames = InterleavedChannel(writer, numbers, min(self._limits.tcp_payload_bytes, _LARGEST_TCP_PAYLOAD))
            return frames, f"RTP/AVP/TCP;unicast;interleaved={numbers[0]}-{numbers[1]}"
        theirs = proposal.client_ports
        assert theirs is not None, "the conversation has looked"
        datagrams = UdpChannel(local_host, peer_host, theirs, lambda data: self._hear(session_id, data))
        try:
            datagrams.open(loop)
        except NoPortsError as error:
            _log.warning("a viewer was refused: %s", error)
            self.refused += 1
            raise RefusedError(453) from None
        ours = datagrams.server_ports
        agreed = f"client_port={theirs[0]}-{theirs[1]};server_port={ours[0]}-{ours[1]}"
        return datagrams, f"RTP/AVP;unicast;{agreed}"

    def _interleaved(self, proposal: TransportProposal, writer: ConnectionWriter) -> tuple[int, int]:
        """The numbers that the client asked for, or free ones where it left the choice; raises RefusedError."""
        taken = {
            number
            for session in self.of(writer)
            if isinstance(session.channel, InterleavedChannel)
            for number in session.channel.numbers
        }
        wanted = [proposal.interleaved] if proposal.interleaved else [(low, low + 1) for low in range(0, 256, 2)]
        free = next((numbers for numbers in wanted if not taken.intersection(numbers)), None)
        if free is None:
            raise RefusedError(461)
        return free

    def _hear(self, session_id: str, data: bytes) -> None:
        session = self._sessions.get(session_id)
        if session is not None:
            session.hear_rtcp(data, self._clock.now_ns())


def _session_statistics(session: Session) -> SessionStatistics:
    return SessionStatistics(
        path=session.mount.path,
        peer_host=session.peer_host,
        over_tcp=session.connection is not None,
        playing=session.sender.playing,
        sender=session.sender.statistics(),
        reports_heard=session.reports_heard,
        packets_lost=session.packets_lost,
        rtcp_malformed=session.rtcp_malformed,
    )


def _sum(parts: list[SenderStatistics]) -> SenderStatistics:
    return SenderStatistics(
        **{name: sum(getattr(part, name) for part in parts) for name in SenderStatistics.__struct_fields__}
    )
