"""The records of the journal, and how they lie in its files.

A segment is `PENSTOCK-JOURNAL-1\\n`, then records: length (u32), CRC-32 of length and payload (u32), both little
endian, and the payload, msgpack of one tagged record. The length is under the checksum too, so that neither a run of
zeros nor a damaged length passes for a record.
"""

import struct
import zlib

import msgspec

from penstock.contracts.capacity import PlanChange
from penstock.contracts.events import Event

MAGIC = b"PENSTOCK-JOURNAL-1\n"
SUFFIX = ".journal"
MAX_RECORD_BYTES = 16 * 1024 * 1024
_HEAD = struct.Struct("<II")
_LENGTH = struct.Struct("<I")


class Position(msgspec.Struct, frozen=True, gc=False, order=True):
    """A place between two records: segment number and byte offset. Positions sort by time."""

    segment: int = 0
    offset: int = 0


class CameraEntry(msgspec.Struct, frozen=True):
    """One camera of a run; `url` has no credentials in it, `spec` is its configuration as JSON."""

    name: str
    url: str
    spec: str = "{}"


class RuleEntry(msgspec.Struct, frozen=True):
    """One rule of a run."""

    name: str
    rule_hash: str
    text: str


class EventRecord(msgspec.Struct, frozen=True, tag="event"):
    """One revision of an event."""

    event: Event


class RunStarted(msgspec.Struct, frozen=True, tag="run_started"):
    run_id: str
    host_id: str
    boot_id: str
    started_utc_ns: int
    software: str
    cameras: tuple[CameraEntry, ...] = ()
    rules: tuple[RuleEntry, ...] = ()


class RunEnded(msgspec.Struct, frozen=True, tag="run_ended"):
    run_id: str
    ended_utc_ns: int
    reason: str = ""


class PlanRecord(msgspec.Struct, frozen=True, tag="plan"):
    """One change of the capacity plan, of all subjects that it happened to alike."""

    run_id: str
    utc_ns: int
    """when the newest of them changed"""
    change: PlanChange
    """of the first subject"""
    subjects: tuple[str, ...]
    left_out: int = 0
    """earlier changes of these subjects that were not written, for they came within 5 s of one that was"""


class Checkpoint(msgspec.Struct, frozen=True, tag="checkpoint"):
    """What a new engine must know of all segments before: first record of each segment, so that old ones may go."""

    open_events: tuple[Event, ...] = ()
    """latest revision of every event that is open, or whose evidence is still to come"""
    last_events: tuple[Event, ...] = ()
    """latest event of each rule hash and camera: cooldowns count from it"""
    open_runs: tuple[RunStarted, ...] = ()
    """runs that have not said that they ended"""


JournalRecord = EventRecord | RunStarted | RunEnded | PlanRecord | Checkpoint

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[JournalRecord] = msgspec.msgpack.Decoder(JournalRecord)


class Damaged(Exception):
    """The bytes at this place are no whole record: cut off, overwritten, or not written yet."""


def frame_record(record: JournalRecord) -> bytes:
    """`record` as it lies in a segment; raises ValueError where it is larger than 16 MiB."""
    payload = _encoder.encode(record)
    if len(payload) > MAX_RECORD_BYTES:
        raise ValueError(f"a journal record has {len(payload)} bytes, at most {MAX_RECORD_BYTES} are allowed")
    length = _LENGTH.pack(len(payload))
    return length + _LENGTH.pack(zlib.crc32(payload, zlib.crc32(length))) + payload


def parse_record(data: bytes, at: int) -> tuple[JournalRecord, int]:
    """The record at `data[at:]` and where the next one begins; raises Damaged."""
    if len(data) < at + _HEAD.size:
        raise Damaged(f"{len(data) - at} bytes are no record")
    length, checksum = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    if length > MAX_RECORD_BYTES or len(data) < start + length:
        raise Damaged(f"a record of {length} bytes is cut off")
    payload = memoryview(data)[start : start + length]
    if zlib.crc32(payload, zlib.crc32(_LENGTH.pack(length))) != checksum:
        raise Damaged("a record does not match its checksum")
    try:
        return _decoder.decode(payload), start + length
    except msgspec.MsgspecError as error:
        raise Damaged(f"a record cannot be read by this version: {error}") from error
