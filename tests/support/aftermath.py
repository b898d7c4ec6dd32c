"""What a run left on disk, checked against itself: events in three places, clips that play, manifests that hold."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import av
from running import Running

from penstock.contracts.events import Event
from penstock.evidence.manifest import Manifest, manifests_in, read_manifest, verify_chain
from penstock.store.records import EventRecord
from penstock.store.segments import records_in, segment_numbers, segment_path


def journalled(data: Path) -> dict[str, Event]:
    """The newest revision of every event in the journal."""
    newest: dict[str, Event] = {}
    for number in segment_numbers(data / "journal"):
        for record, _ in records_in(segment_path(data / "journal", number)):
            if isinstance(record, EventRecord):
                event = record.event
                if event.event_id not in newest or event.revision > newest[event.event_id].revision:
                    newest[event.event_id] = event
    return newest


def assert_records_agree(run: Running) -> dict[str, Event]:
    """Journal, JSON lines and database hold the same final revision of every event; returns the journal's."""
    journal = journalled(run.data)
    final = {identity: (event.revision, event.state.value) for identity, event in journal.items()}
    lines: dict[str, tuple[int, str]] = {}
    for line in run.events():
        found = (line["revision"], line["state"])
        lines[line["event_id"]] = max(found, lines.get(line["event_id"], found))
    assert lines == final
    with contextlib.closing(sqlite3.connect(run.data / "penstock.db")) as database:
        rows = database.execute("select event_id, revision, state from events").fetchall()
        revisions = database.execute("select event_id, count(*) from event_revisions group by event_id").fetchall()
        ended = database.execute("select count(*) from runs where ended_utc_ns is null").fetchone()
    assert {identity: (revision, state) for identity, revision, state in rows} == final
    assert dict(revisions) == {identity: revision for identity, (revision, _) in final.items()}
    assert ended == (0,)
    return journal


def assert_books(report: dict[str, Any]) -> None:
    """Every access unit and every offered frame has one fate, by the report's own sums and by ours."""
    assert report["unbalanced"] == []
    assert report["books_balanced"] is True
    for camera in report["cameras"].values():
        units = camera["access_units"]
        assert units["received"] == sum(units[fate] for fate in ("decoded", "skipped", "undecodable", "lost", "kept"))
    for lane in report["lanes"].values():
        assert lane["offered"] == sum(lane["fates"].values())


def clips(data: Path) -> list[Path]:
    return sorted((data / "clips").rglob("*.mp4"))


def assert_clips_play(data: Path) -> list[Manifest]:
    """Every MP4 decodes to its last picture without an error, every manifest holds; returns the manifests."""
    for path in clips(data):
        assert pictures(path), path
    for folder in (data / "clips").iterdir():
        assert verify_chain(folder) == []
    found = [read_manifest(path) for folder in (data / "clips").iterdir() for path in manifests_in(folder)]
    assert {path.name for path in clips(data)} <= {"clip.mp4"} | {f"clip-{i}.mp4" for i in range(1, 20)}
    assert sum(len(manifest.parts) for manifest in found) == len(clips(data))
    return found


def pictures(path: Path) -> list[av.VideoFrame]:
    """All pictures of a video, in order of presentation; fails where a packet does not decode."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        first = next(packet for packet in container.demux(stream) if packet.size)
        assert first.is_keyframe, path
        container.seek(0)
        found = list(container.decode(stream))
    assert not [frame for frame in found if frame.is_corrupt], path
    return found
