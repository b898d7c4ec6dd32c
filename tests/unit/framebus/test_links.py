"""Links: bounded, never waiting, with descriptors; what a gone peer said last is still heard."""

import array
import os
import socket
from collections.abc import Iterator

import pytest

from penstock.contracts.clips import ClipEnd
from penstock.contracts.messages import WIRE_VERSION, EndClip, Heartbeat, Message, Ready, Unusable
from penstock.framebus.links import Link, LinkClosed, LinkStatistics, link_pair

Pair = tuple[Link, Link]


@pytest.fixture
def pair() -> Iterator[Pair]:
    a, b = link_pair()
    one, other = Link(a, "other").open(), Link(b, "one", 3).open()
    yield one, other
    one.close()
    other.close()


def drained(link: Link) -> list[Message]:
    messages = []
    while (received := link.receive_nowait()) is not None:
        messages.append(received[0])
    return messages


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def test_messages_come_in_order_one_by_one(pair: Pair) -> None:
    one, other = pair
    assert other.receive_nowait() is None
    sent = [Heartbeat(n) for n in range(100)]
    assert all(one.send_nowait(message) for message in sent)
    assert drained(other) == sent
    assert one.statistics() == LinkStatistics(100, 0, 0)
    assert other.statistics() == LinkStatistics(0, 0, 100)


def test_a_full_link_refuses_and_counts_and_takes_again(pair: Pair) -> None:
    one, other = pair
    sent = 0
    while one.send_nowait(Heartbeat(sent)):
        sent += 1
        assert sent < 1_000_000, "no bound"
    assert not one.send_nowait(Heartbeat(-1))
    assert one.statistics() == LinkStatistics(sent, 2, 0)
    assert drained(other) == [Heartbeat(n) for n in range(sent)]
    assert one.send_nowait(Ready())


def test_a_message_too_large_is_refused(pair: Pair) -> None:
    one, other = pair
    assert not one.send_nowait(Unusable("x" * (8 << 20)))
    assert one.send_nowait(Unusable("x" * 100_000))
    assert drained(other) == [Unusable("x" * 100_000)]
    assert one.statistics().refused == 1


def test_a_closed_peer_shows_in_receiving_and_refuses_sending(pair: Pair) -> None:
    one, other = pair
    one.close()
    assert one.closed
    with pytest.raises(LinkClosed, match="link to one: the peer has gone"):
        other.receive_nowait()
    assert not other.send_nowait(Ready())
    assert not one.send_nowait(Ready())
    assert other.statistics().refused == 1


@pytest.mark.parametrize("unread", [0, 1, 5])
def test_the_last_words_of_a_gone_peer_are_heard(pair: Pair, unread: int) -> None:
    """Also where it left messages of ours unread: the kernel reports that before it gives out what is queued."""
    one, other = pair
    for n in range(unread):
        other.send_nowait(Heartbeat(n))
    one.send_nowait(Heartbeat(7))
    one.send_nowait(EndClip(ClipEnd("id", 8)))
    one.close()
    assert [other.receive_nowait(), other.receive_nowait()] == [(Heartbeat(7), []), (EndClip(ClipEnd("id", 8)), [])]
    for _ in range(2):
        with pytest.raises(LinkClosed):
            other.receive_nowait()


def test_descriptors_pass_and_ours_stays_open(pair: Pair) -> None:
    one, other = pair
    fd = os.memfd_create("lent")
    os.write(fd, b"lent")
    assert one.send_nowait(Ready(), [fd])
    assert one.send_nowait(Heartbeat(1))
    received = other.receive_nowait()
    assert received is not None
    message, (theirs,) = received
    assert message == Ready()
    assert os.pread(theirs, 9, 0) == b"lent"
    assert not os.get_inheritable(theirs)
    assert other.receive_nowait() == (Heartbeat(1), [])
    os.close(fd)
    assert os.pread(theirs, 9, 0) == b"lent"
    os.close(theirs)


@pytest.mark.parametrize(
    ("datagram", "message"),
    [
        pytest.param(bytes([WIRE_VERSION + 1, 0x80]), "version 3 of the wire, this process 2", id="another version"),
        pytest.param(bytes([WIRE_VERSION, 0xC1]), "link to one: ", id="noise"),
        pytest.param(bytes([WIRE_VERSION]) + b"\x81\xa4type\xa5Nomsg", "link to one: .*Nomsg", id="unknown message"),
        pytest.param(bytes([WIRE_VERSION]), "link to one: ", id="nothing but a version"),
    ],
)
def test_what_is_no_message_closes_the_link_and_its_descriptors(datagram: bytes, message: str) -> None:
    before = descriptors()
    a, b = link_pair()
    link = Link(b, "one").open()
    fd = os.memfd_create("lent")
    a.sendmsg([datagram], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    os.close(fd)
    with pytest.raises(LinkClosed, match=message):
        link.receive_nowait()
    link.close()
    a.close()
    assert descriptors() == before


def test_a_link_is_made_of_a_descriptor_that_came(pair: Pair) -> None:
    one, other = pair
    a, b = link_pair()
    assert one.send_nowait(Ready(), [b.fileno()])
    b.close()
    received = other.receive_nowait()
    assert received is not None
    made = Link.from_descriptor(received[1][0], "third", 5).open()
    assert (made.peer, made.peer_generation) == ("third", 5)
    ours = Link(a, "made").open()
    assert ours.send_nowait(Heartbeat(3))
    assert made.receive_nowait() == (Heartbeat(3), [])
    ours.close()
    made.close()
