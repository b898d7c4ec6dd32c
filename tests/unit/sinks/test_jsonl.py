"""Whole lines only, whatever happened to the disk or the process before."""

import errno
import json
import os
from pathlib import Path

import pytest

from penstock.contracts.events import Event, EventState, Reason, ReasonTerm, Severity
from penstock.sinks.jsonl import JsonLinesSink
from penstock.sinks.off import OffSink


def event(number: int, **changes: object) -> Event:
    fields: dict[str, object] = {
        "event_id": f"{number:032x}",
        "revision": 1,
        "rule": "two people",
        "rule_hash": "r1",
        "camera": "gate",
        "session": 2**62,
        "state": EventState.OPEN,
        "severity": Severity.ALERT,
        "start_utc_ns": 1_800_000_000_250_000_000,
        "confirmed_utc_ns": 1_800_000_001_250_000_000,
        "end_utc_ns": None,
        "start_error_ns": 40_000_000,
        "reason": Reason("count(person) >= 2", (ReasonTerm("count(person)", "2", None),)),
        "run_id": "run",
        "host_id": "host",
        "boot_id": "boot",
        "lease_epoch": 1,
        "frame_seq": 5,
    }
    return Event(**{**fields, **changes})  # type: ignore[arg-type]


def lines(path: Path) -> list[str]:
    data = path.read_bytes()
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line)["event_id"] for line in data.splitlines()]


def test_a_line_has_the_records_fields_and_instants_for_people(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "new" / "events.jsonl")
    sink.start()
    sink.deliver([event(1), event(1, revision=2, state=EventState.ENDED, end_utc_ns=1_800_000_002_000_000_000)])
    sink.stop()
    first, second = map(json.loads, (tmp_path / "new" / "events.jsonl").read_text().splitlines())
    assert (first["start"], first["confirmed"], first["end"], first["decided"]) == (
        "2027-01-15T08:00:00.250000Z",
        "2027-01-15T08:00:01.250000Z",
        None,
        None,
    )
    assert first["session"] == 2**62
    assert first["reason"]["terms"] == [{"text": "count(person)", "value": "2", "since_utc_ns": None}]
    assert (second["state"], second["end"], second["revision"]) == ("ended", "2027-01-15T08:00:02.000000Z", 2)
    assert set(first) == {*Event.__struct_fields__, "start", "confirmed", "end", "decided"}


@pytest.mark.parametrize(
    ("name", "tail"),
    [("torn", b'{"event_id": "x'), ("long torn", b"{" + b"x" * 200_000), ("nothing", b"")],
)
def test_a_torn_last_line_is_cut_off_at_the_start(tmp_path: Path, name: str, tail: bytes) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path)
    sink.start()
    sink.deliver([event(1)])
    sink.stop()
    with path.open("ab") as file:
        file.write(tail)
    sink.start()
    sink.deliver([event(2)])
    sink.stop()
    assert lines(path) == [event(1).event_id, event(2).event_id]
    assert sink.statistics().truncated_bytes == len(tail)


def test_a_file_without_any_line_end_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"x" * 100_000)
    sink = JsonLinesSink(path)
    sink.start()
    sink.stop()
    assert path.read_bytes() == b""


def test_a_batch_that_the_disk_refuses_half_way_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    sink = JsonLinesSink(path)
    sink.start()
    sink.deliver([event(1)])
    real_write = os.write
    calls = 0

    def filling_up(descriptor: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            return real_write(descriptor, bytes(data)[:700])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", filling_up)
    with pytest.raises(OSError, match=r"No space left.*free space"):
        sink.deliver([event(2), event(3)])
    monkeypatch.setattr(os, "write", real_write)
    assert lines(path) == [event(1).event_id]
    sink.deliver([event(2), event(3)])
    sink.stop()
    assert lines(path) == [event(i).event_id for i in (1, 2, 3)]
    assert (sink.statistics().lines, sink.statistics().failures) == (3, 1)


def test_a_sink_that_is_not_open_refuses(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="not open"):
        JsonLinesSink(tmp_path / "events.jsonl").deliver([event(1)])


def test_off_takes_all_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sink = OffSink()
    sink.start()
    sink.deliver([event(1)])
    sink.stop()
    assert list(tmp_path.iterdir()) == []
