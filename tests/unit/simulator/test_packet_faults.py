"""Lost and damaged RTP packets: as many as asked for, only where asked for, and the same in every run."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.simulator.packet_faults import PacketTrouble

PACKETS = [bytes([128, 96]) + n.to_bytes(2, "big") + bytes(8) + bytes(range(200)) for n in range(2000)]


def passed(trouble: PacketTrouble, session: int = 0, packets: list[bytes] = PACKETS) -> list[bytes]:
    return list(trouble.new_filter(session).pass_on(packets, 0))


def test_a_network_without_fault_changes_nothing() -> None:
    trouble = PacketTrouble(1)
    assert passed(trouble) == PACKETS
    assert (trouble.lost, trouble.corrupted) == (0, 0)


def test_about_the_share_is_lost_and_the_rest_is_untouched() -> None:
    trouble = PacketTrouble(1)
    trouble.loss = 0.1
    kept = passed(trouble)
    assert 150 <= trouble.lost <= 250
    assert len(kept) == len(PACKETS) - trouble.lost
    assert set(kept) <= set(PACKETS)
    assert kept == sorted(kept)


def test_all_or_nothing() -> None:
    trouble = PacketTrouble(1)
    trouble.loss = 1.0
    assert passed(trouble) == []
    trouble.loss, trouble.corrupt = 0.0, 1.0
    assert all(sent != packet for sent, packet in zip(passed(trouble), PACKETS, strict=True))


def test_damage_is_one_bit_of_the_payload() -> None:
    trouble = PacketTrouble(1)
    trouble.corrupt = 0.2
    sent = passed(trouble)
    assert len(sent) == len(PACKETS)
    turned = [
        sum((a ^ b).bit_count() for a, b in zip(packet, one, strict=True))
        for packet, one in zip(PACKETS, sent, strict=True)
    ]
    assert set(turned) == {0, 1}
    assert sum(turned) == trouble.corrupted
    assert 320 <= trouble.corrupted <= 480
    assert all(one[:12] == packet[:12] for packet, one in zip(PACKETS, sent, strict=True))


def test_a_packet_without_payload_cannot_be_damaged() -> None:
    trouble = PacketTrouble(1)
    trouble.corrupt = 1.0
    assert passed(trouble, packets=[bytes(12), b""]) == [bytes(12), b""]
    assert trouble.corrupted == 0


def test_faults_begin_and_end_while_a_session_lasts() -> None:
    trouble = PacketTrouble(3)
    network = trouble.new_filter(0)
    assert network.pass_on(PACKETS[:5], 0) == PACKETS[:5]
    trouble.loss = 1.0
    assert list(network.pass_on(PACKETS[:5], 1)) == []
    trouble.loss = 0.0
    assert network.pass_on(PACKETS[:5], 2) == PACKETS[:5]


@given(st.integers(0, 2**32), st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_equal_seeds_and_packets_end_equally(seed: int, session: int, loss: float, corrupt: float) -> None:
    ends = []
    for _ in range(2):
        trouble = PacketTrouble(seed)
        trouble.loss, trouble.corrupt = loss, corrupt
        kept = passed(trouble, session, PACKETS[:50])
        ends.append((kept, trouble.lost, trouble.corrupted))
        assert len(kept) + trouble.lost == 50
    assert ends[0] == ends[1]


def test_sessions_and_seeds_differ() -> None:
    def lost(seed: int, session: int) -> tuple[bytes, ...]:
        trouble = PacketTrouble(seed)
        trouble.loss = 0.5
        return tuple(passed(trouble, session, PACKETS[:100]))

    assert len({lost(1, 0), lost(1, 1), lost(2, 0)}) == 3
