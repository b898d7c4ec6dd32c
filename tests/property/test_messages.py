"""Every message comes over the wire as it was sent, whatever its fields hold."""

import enum
import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.contracts.messages import WIRE_VERSION, Message
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.specs import RunSpec
from penstock.framebus.links import LinkClosed, decode, encode

MESSAGES = typing.get_args(Message)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False),
    str: st.text(max_size=8),
    bytes: st.binary(max_size=8),
    bool: st.booleans(),
    types.NoneType: st.none(),
}
_made: dict[Any, st.SearchStrategy[Any]] = {}


def strategy(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type, as the records use them."""
    if hint in PLAIN:
        return PLAIN[hint]
    if hint not in _made:
        _made[hint] = _strategy(hint)
    return _made[hint]


def _strategy(hint: Any) -> st.SearchStrategy[Any]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([strategy(one) for one in inner])
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(strategy(inner[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(strategy(one) for one in inner))
    if origin is dict:
        return st.dictionaries(strategy(inner[0]), strategy(inner[1]), max_size=2)
    if issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    fields = typing.get_type_hints(hint)
    return st.builds(hint, **{name: strategy(of) for name, of in fields.items()})


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_every_message_comes_as_it_was_sent(kind: type) -> None:
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(message=strategy(kind))
    def comes_as_sent(message: Any) -> None:
        received = decode(encode(message))
        assert received == message
        assert type(received) is kind

    comes_as_sent()


@pytest.mark.parametrize("kind", [RunSpec, EncodedPacket, StreamInfo], ids=lambda kind: kind.__name__)
def test_records_that_lie_in_memory_come_back(kind: type) -> None:
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(record=strategy(kind))
    def comes_back(record: Any) -> None:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=kind) == record

    comes_back()


@given(version=st.integers(0, 255).filter(lambda version: version != WIRE_VERSION), rest=st.binary(max_size=20))
def test_another_version_is_named(version: int, rest: bytes) -> None:
    with pytest.raises(LinkClosed, match=f"version {version} of the wire, this process {WIRE_VERSION}"):
        decode(bytes([version]) + rest)


@given(rest=st.binary(max_size=40))
def test_noise_is_a_decode_error(rest: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(bytes([WIRE_VERSION, 0xC1]) + rest)
