"""The protocol, request by request, without a socket."""

from collections.abc import Callable

import pytest

from penstock.restream.authentication import Authentication, NoAuthentication, PasswordAuthentication
from penstock.restream.broadcast import Broadcast
from penstock.restream.channel import ConnectionWriter, InterleavedChannel
from penstock.restream.conversation import Answer, Conversation, RefusedError
from penstock.restream.media import MediaDescription
from penstock.restream.message import Request
from penstock.restream.packet_filter import Unfiltered
from penstock.restream.sender import RtpStart, Sender
from penstock.restream.session import Mount, Session
from penstock.restream.transport import TransportError, TransportProposal, parse_transport

H264 = MediaDescription("h264", 640, 360, 25.0, bytes.fromhex("000000016742c01eaa0000000168ce3c80"))
CAM = "rtsp://h/cam"
TRACK = f"{CAM}/trackID=0"
TCP = {"transport": "RTP/AVP/TCP;unicast;interleaved=0-1"}
PUBLIC = "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER"


class Writer:
    writable = True

    def write_nowait(self, data: bytes) -> None:
        raise AssertionError("the conversation writes nothing by itself")


class Table:
    """The server's part, in memory."""

    def __init__(self) -> None:
        self.mounts = {
            "/cam": Mount("/cam", Broadcast(H264)),
            "/empty": Mount("/empty", Broadcast()),
            "/locked": Mount(
                "/locked",
                Broadcast(H264),
                authentication=PasswordAuthentication({"a": "b"}, secret=b"0123456789abcdef"),
            ),
        }
        self.sessions: dict[str, Session] = {}
        self.full = False

    def find_mount(self, path: str) -> Mount | None:
        return self.mounts.get(path)

    def find_session(self, session_id: str) -> Session | None:
        return self.sessions.get(session_id)

    def open_session(
        self, mount: Mount, proposal: TransportProposal, writer: ConnectionWriter, peer_host: str, local_host: str
    ) -> tuple[Session, str]:
        if self.full:
            raise RefusedError(453)
        channel = InterleavedChannel(writer, proposal.interleaved or (0, 1), 1400)
        sender = Sender(
            mount.broadcast,
            channel,
            codec_payload_type=96,
            start=RtpStart(1, 2, 3),
            cname="c",
            packet_filter=Unfiltered(),
        )
        session_id = f"s{len(self.sessions)}"
        connection = writer if proposal.over_tcp else None
        self.sessions[session_id] = Session(
            session_id, mount, sender, channel, peer_host=peer_host, connection=connection, opener=writer, now_ns=0
        )
        return self.sessions[session_id], "as agreed"

    def wake(self, session: Session) -> Callable[[], None]:
        return lambda: None

    def close_session(self, session: Session) -> None:
        session.over = True
        del self.sessions[session.session_id]


def conversation(
    table: Table, peer_host: str = "1.2.3.4", authentication: Authentication | None = None
) -> Conversation:
    return Conversation(
        table,
        Writer(),
        authentication or NoAuthentication(),
        peer_host=peer_host,
        local_host="10.0.0.1",
        title="T",
        timeout_s=60,
    )


def ask(
    talk: Conversation,
    method: str,
    uri: str = CAM,
    *,
    version: str = "RTSP/1.0",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    **more: str,
) -> Answer:
    return talk.answer(Request(method, uri, version, {"cseq": "9"} | (headers or {}) | more, body), 5)


def setup(talk: Conversation, **headers: str) -> str:
    answer = ask(talk, "SETUP", TRACK, headers=TCP | headers)
    assert answer.response.status == 200
    return dict(answer.response.headers)["Session"].partition(";")[0]


def test_describe_gives_the_sdp() -> None:
    response = ask(conversation(Table()), "DESCRIBE").response
    assert (response.status, response.cseq) == (200, 9)
    assert dict(response.headers)["Content-Base"] == f"{CAM}/"
    assert response.body.decode().split("\r\n") == [
        "v=0",
        "o=- 1 1 IN IP4 10.0.0.1",
        "s=T",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
        "m=video 0 RTP/AVP 96",
        "a=rtpmap:96 H264/90000",
        "a=fmtp:96 packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=Z0LAHqo=,aM48gA==",
        "a=framerate:25",
        "a=control:trackID=0",
        "",
    ]


def test_set_up_play_pause_play_tear_down() -> None:
    talk = conversation(table := Table())
    name = setup(talk)
    playing = ask(talk, "PLAY", session=name)
    assert dict(playing.response.headers) == {
        "Session": name,
        "Range": "npt=now-",
        "RTP-Info": f"url={TRACK};seq=2",
    }
    assert playing.started is table.sessions[name]
    assert table.sessions[name].sender.playing
    assert ask(talk, "PAUSE", session=name).response.status == 200
    assert not table.sessions[name].sender.playing
    assert ask(talk, "PLAY", f"{CAM}/", session=f"{name};timeout=60", range="npt=0.000-").response.status == 200
    assert ask(talk, "TEARDOWN", TRACK, session=name).response.status == 200
    assert ask(talk, "PLAY", session=name).response.status == 454
    assert table.sessions == {}


REFUSED = {
    "no such method": ("FROBNICATE", CAM, {}, 501),
    "not here": ("ANNOUNCE", CAM, {}, 405),
    "no such path": ("DESCRIBE", "rtsp://h/none", {}, 404),
    "no RTSP address": ("DESCRIBE", "http://h/cam", {}, 400),
    "no description yet": ("DESCRIBE", "rtsp://h/empty", {}, 503),
    "no SDP wanted": ("DESCRIBE", CAM, {"accept": "text/html"}, 415),
    "needs what is not offered": ("DESCRIBE", CAM, {"require": "implicit-play"}, 551),
    "needs credentials": ("DESCRIBE", "rtsp://h/locked", {}, 401),
    "the whole cannot be set up": ("SETUP", CAM, TCP, 459),
    "multicast": ("SETUP", TRACK, {"transport": "RTP/AVP;multicast"}, 461),
    "encrypted RTP": ("SETUP", TRACK, {"transport": "RTP/SAVP;unicast;client_port=4000-4001"}, 461),
    "UDP without ports": ("SETUP", TRACK, {"transport": "RTP/AVP;unicast"}, 461),
    "recording": ("SETUP", TRACK, {"transport": "RTP/AVP/TCP;unicast;mode=RECORD"}, 461),
    "no transport": ("SETUP", TRACK, {}, 461),
    "broken transport": ("SETUP", TRACK, {"transport": "RTP/AVP;client_port=70000-70001"}, 400),
    "unknown session at set-up": ("SETUP", TRACK, TCP | {"session": "x"}, 454),
    "play without session": ("PLAY", CAM, {}, 454),
    "pause without session": ("PAUSE", CAM, {}, 454),
    "unknown session": ("TEARDOWN", CAM, {"session": "x"}, 454),
    "keep-alive of an unknown session": ("GET_PARAMETER", CAM, {"session": "x"}, 454),
    "keep-alive of nothing": ("GET_PARAMETER", "rtsp://h/none", {}, 404),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    method, uri, headers, status = REFUSED[name]
    assert ask(conversation(Table()), method, uri, headers=headers).response.status == status


def test_further_refusals_that_need_a_session() -> None:
    talk = conversation(table := Table())
    name = setup(talk)
    assert ask(talk, "SETUP", TRACK, headers=TCP | {"session": name}).response.status == 455
    assert ask(talk, "PLAY", session=name, range="bytes=0-").response.status == 457
    assert ask(talk, "SET_PARAMETER", session=name, body=b"volume: 3").response.status == 451
    assert ask(talk, "PLAY", "rtsp://h/empty", session=name).response.status == 454
    # Neither another connection nor another host gets at it.
    assert ask(conversation(table), "TEARDOWN", session=name).response.status == 454
    table.full = True
    assert ask(talk, "SETUP", TRACK, headers=TCP).response.status == 453


def test_a_udp_session_can_be_steered_from_another_connection_of_the_same_host_only() -> None:
    table = Table()
    name = setup(conversation(table), transport="RTP/AVP;unicast;client_port=4000-4001")
    assert ask(conversation(table, "6.6.6.6"), "TEARDOWN", session=name).response.status == 454
    assert ask(conversation(table), "TEARDOWN", session=name).response.status == 200


@pytest.mark.parametrize("method", ["OPTIONS", "GET_PARAMETER", "SET_PARAMETER"])
def test_keep_alive(method: str) -> None:
    talk = conversation(table := Table())
    name = setup(talk, transport="RTP/AVP;unicast;client_port=4000-4001")
    session = table.sessions[name]
    session.heard_ns = 0
    assert ask(talk, method, session=name).response.status == 200
    assert session.heard_ns == 5
    assert not session.expired(60_000_000_005, 60_000_000_000)
    assert session.expired(60_000_000_006, 60_000_000_000)


def test_versions_and_numbers() -> None:
    talk = conversation(Table())
    assert ask(talk, "OPTIONS", version="RTSP/2.0").response.status == 505
    for cseq in ("", "x", "-1", "٣"):
        assert talk.answer(Request("OPTIONS", CAM, "RTSP/1.0", {"cseq": cseq}), 0).response.status == 400
    options = ask(talk, "OPTIONS", "*").response
    assert (options.status, dict(options.headers)["Public"]) == (200, PUBLIC)


def test_wrong_credentials_are_told_apart_from_none() -> None:
    talk = conversation(Table())
    missing = ask(talk, "DESCRIBE", "rtsp://h/locked")
    assert not missing.unauthorized
    assert [name for name, _ in missing.response.headers] == ["WWW-Authenticate"] * 3
    assert ask(talk, "DESCRIBE", "rtsp://h/locked", authorization="Basic YTp4").unauthorized
    assert ask(talk, "DESCRIBE", "rtsp://h/locked", authorization="Basic YTpi").response.status == 200


def test_a_guarded_server_does_not_say_which_paths_there_are() -> None:
    talk = conversation(Table(), authentication=PasswordAuthentication({"a": "b"}, secret=b"0123456789abcdef"))
    assert ask(talk, "DESCRIBE", "rtsp://h/none").response.status == 401
    assert ask(talk, "DESCRIBE", "rtsp://h/none", authorization="Basic YTpi").response.status == 404


@pytest.mark.parametrize(
    "header",
    [
        "RTP",
        "RTP/AVP;client_port=0-1",
        "RTP/AVP;client_port=4-4",
        "RTP/AVP/TCP;interleaved=0-300",
        "RTP//TCP",
        "RTP/AVP;client_port=a-b",
        "x" * 3000,
    ],
)
def test_broken_transports(header: str) -> None:
    with pytest.raises(TransportError):
        parse_transport(header)


def test_transports_in_order_of_preference() -> None:
    first, second = parse_transport('RTP/AVP/UDP;unicast;client_port=4000, RTP/AVP/TCP;interleaved=2-3;mode="play"')
    assert first == TransportProposal(False, "RTP/AVP", False, (4000, 4001), None, "")
    assert second == TransportProposal(True, "RTP/AVP", False, None, (2, 3), "PLAY")
