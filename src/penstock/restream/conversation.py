"""Answers the RTSP requests of one connection (RFC 2326). Pure: sockets and time belong to others.

One mount is one presentation with one video track: `rtsp://host/path` for the whole, `…/trackID=0` for the track.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from penstock.restream import sdp
from penstock.restream.authentication import Authentication, Verdict
from penstock.restream.channel import ConnectionWriter
from penstock.restream.message import Request, Response, path_of
from penstock.restream.payload import PayloadError
from penstock.restream.session import Mount, Session, State
from penstock.restream.transport import TransportError, TransportProposal, acceptable, parse_transport

METHODS = ("OPTIONS", "DESCRIBE", "SETUP", "PLAY", "PAUSE", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER")
_KNOWN_ELSEWHERE = frozenset({"ANNOUNCE", "RECORD", "REDIRECT"})
_TRACK = f"/{sdp.TRACK}"


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, *headers: tuple[str, str], wrong_credentials: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.wrong_credentials = wrong_credentials
        self.headers = headers


class Host(Protocol):
    """The server, as a conversation sees it."""

    def find_mount(self, path: str) -> Mount | None: ...

    def find_session(self, session_id: str) -> Session | None: ...

    def open_session(
        self, mount: Mount, proposal: TransportProposal, writer: ConnectionWriter, peer_host: str, local_host: str
    ) -> tuple[Session, str]:
        """A session with a channel, and the Transport header that says which; raises RefusedError."""
        ...

    def wake(self, session: Session) -> Callable[[], None]:
        """What a broadcast calls when there is something to send."""
        ...

    def close_session(self, session: Session) -> None: ...


class Answer(msgspec.Struct, frozen=True):
    response: Response
    started: Session | None = None
    """begins to send after the response"""
    unauthorized: bool = False
    """credentials were given and were wrong"""


class Conversation:
    """One connection's side of the protocol; sessions live in the host."""

    def __init__(
        self,
        host: Host,
        writer: ConnectionWriter,
        authentication: Authentication,
        *,
        peer_host: str,
        local_host: str,
        title: str,
        timeout_s: int,
    ) -> None:
        self._host = host
        self._writer = writer
        self._authentication = authentication
        self._peer_host = peer_host
        self._local_host = local_host
        self._title = title
        self._timeout_s = timeout_s

    def answer(self, request: Request, now_ns: int) -> Answer:
        cseq = request.cseq
        if cseq is None:
            return Answer(Response(400))
        try:
            answer = self._answer(request, now_ns)
        except RefusedError as refused:
            return Answer(Response(refused.status, cseq, refused.headers), unauthorized=refused.wrong_credentials)
        response = msgspec.structs.replace(answer.response, cseq=cseq)
        return msgspec.structs.replace(answer, response=response)

    def _answer(self, request: Request, now_ns: int) -> Answer:
        if request.version != "RTSP/1.0":
            raise RefusedError(505)
        if request.method not in METHODS:
            status = 405 if request.method in _KNOWN_ELSEWHERE else 501
            raise RefusedError(status, ("Allow", ", ".join(METHODS)))
        required = request.headers.get("require") or request.headers.get("proxy-require")
        if required:
            raise RefusedError(551, ("Unsupported", required))
        if request.method == "OPTIONS":
            self._hear_session(request, now_ns)
            return Answer(Response(200, headers=(("Public", ", ".join(METHODS)),)))
        path, is_track = self._path(request)
        mount = None if path is None else self._host.find_mount(path)
        self._authenticate(request, mount, now_ns)
        if path is None:
            raise RefusedError(400)
        if request.method in ("GET_PARAMETER", "SET_PARAMETER"):
            return self._parameters(request, mount, now_ns)
        if mount is None:
            raise RefusedError(404)
        if request.method == "DESCRIBE":
            return self._describe(request, mount)
        if request.method == "SETUP":
            return self._setup(request, mount, is_track, now_ns)
        session = self._session(request, mount, now_ns)
        if request.method == "PLAY":
            return self._play(request, session)
        if request.method == "PAUSE":
            session.sender.pause()
            session.state = State.READY
            return Answer(Response(200, headers=(("Session", session.session_id),)))
        self._host.close_session(session)
        return Answer(Response(200))

    def _path(self, request: Request) -> tuple[str | None, bool]:
        uri = request.uri
        is_track = uri.rstrip("/").endswith(_TRACK)
        if is_track:
            uri = uri.rstrip("/")[: -len(_TRACK)]
        return path_of(uri), is_track

    def _authenticate(self, request: Request, mount: Mount | None, now_ns: int) -> None:
        authentication = self._authentication
        if mount is not None and mount.authentication is not None:
            authentication = mount.authentication
        header = request.headers.get("authorization")
        verdict = authentication.check(request.method, request.uri, header, now_ns)
        if verdict is not Verdict.ALLOWED:
            challenges = authentication.challenges(verdict, now_ns)
            raise RefusedError(
                401,
                *(("WWW-Authenticate", challenge) for challenge in challenges),
                wrong_credentials=verdict is Verdict.WRONG,
            )

    def _describe(self, request: Request, mount: Mount) -> Answer:
        accepted = request.headers.get("accept", "application/sdp").lower()
        if "application/sdp" not in accepted and "*/*" not in accepted and "application/*" not in accepted:
            raise RefusedError(415)
        description = mount.broadcast.description
        if description is None:
            raise RefusedError(503, ("Retry-After", "1"))
        try:
            body = sdp.describe(
                description,
                session_id=1,
                version=mount.broadcast.statistics().descriptions,
                address=self._local_host,
                title=self._title,
            )
        except PayloadError:
            raise RefusedError(503) from None
        base = request.uri.rstrip("/") + "/"
        headers = (("Content-Base", base), ("Content-Type", "application/sdp"), ("Cache-Control", "no-cache"))
        return Answer(Response(200, headers=headers, body=body.encode()))

    def _setup(self, request: Request, mount: Mount, is_track: bool, now_ns: int) -> Answer:
        if not is_track:
            # Tracks are set up one by one; only playing and the like can be asked of the whole.
            raise RefusedError(459)
        if "session" in request.headers:
            # The one track is set up already, and a transport is not changed while it is in use.
            self._session(request, mount, now_ns)
            raise RefusedError(455, ("Allow", "OPTIONS, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"))
        if mount.broadcast.description is None:
            raise RefusedError(503, ("Retry-After", "1"))
        try:
            proposals = parse_transport(request.headers.get("transport", ""))
        except TransportError:
            raise RefusedError(400) from None
        proposal = next((one for one in proposals if acceptable(one)), None)
        if proposal is None:
            raise RefusedError(461)
        session, transport = self._host.open_session(mount, proposal, self._writer, self._peer_host, self._local_host)
        headers = (("Session", f"{session.session_id};timeout={self._timeout_s}"), ("Transport", transport))
        return Answer(Response(200, headers=headers))

    def _play(self, request: Request, session: Session) -> Answer:
        asked = request.headers.get("range", "npt=now-")
        if not asked.lower().startswith(("npt=", "clock=", "smpte")):
            raise RefusedError(457)
        info = session.sender.play(self._host.wake(session))
        session.state = State.PLAYING
        uri = request.uri.rstrip("/")
        track = uri if uri.endswith(_TRACK) else uri + _TRACK
        where = f"url={track};seq={info.sequence}"
        if info.rtp_time is not None:
            where += f";rtptime={info.rtp_time}"
        headers = (("Session", session.session_id), ("Range", "npt=now-"), ("RTP-Info", where))
        return Answer(Response(200, headers=headers), started=session)

    def _parameters(self, request: Request, mount: Mount | None, now_ns: int) -> Answer:
        headers: tuple[tuple[str, str], ...] = ()
        if "session" in request.headers:
            session = self._session(request, mount, now_ns)
            headers = (("Session", session.session_id),)
        elif mount is None and path_of(request.uri) != "/":
            raise RefusedError(404)
        if request.body.strip():
            raise RefusedError(451, *headers)
        return Answer(Response(200, headers=headers))

    def _session(self, request: Request, mount: Mount | None, now_ns: int) -> Session:
        session = self._known_session(request)
        # A session is of no use to another host, nor under another path.
        if session is None or session.over or session.peer_host != self._peer_host:
            raise RefusedError(454)
        if mount is not None and session.mount is not mount:
            raise RefusedError(454)
        if session.connection is not None and session.connection is not self._writer:
            raise RefusedError(454)
        session.heard_ns = now_ns
        return session

    def _hear_session(self, request: Request, now_ns: int) -> None:
        session = self._known_session(request)
        if session is not None and session.peer_host == self._peer_host:
            session.heard_ns = now_ns

    def _known_session(self, request: Request) -> Session | None:
        name = request.headers.get("session", "").partition(";")[0].strip()
        return self._host.find_session(name) if name else None
