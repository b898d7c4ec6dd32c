"""A model on trial beside a real one, in `penstock run`: its events are kept, nobody is told, and no rule minds.

Both look at a lamp that goes on and off. The one on trial also sees one where there is none.
"""

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from aftermath import assert_books, journalled
from lamp_film import write_lamp_film
from PIL import Image
from running import Running

from penstock.contracts.events import Event
from penstock.evidence.archive import Verification, verify_archive
from penstock.evidence.manifest import read_manifest

FPS, SECONDS, LIT_S = 10, 4, (1.0, 3.0)
REAL = """
class Real:
    class_names = ("lamp",)
    def predict(self, picture, context):
        return [((200, 80, 240, 120), 0.9, "lamp")] if picture.max() > 180 else []
"""
TRIAL = """
class Trial:
    class_names = ("lamp", "ghost")
    def predict(self, picture, context):
        return [((200, 80, 240, 120), 0.9, "lamp"), ((0, 0, 40, 40), 0.9, "ghost")]
"""


class Story(NamedTuple):
    journal: list[Event]
    rows: list[tuple[Any, ...]]
    """rule, shadow, model on trial of every event in the database"""
    pictures: list[tuple[Any, ...]]
    """rule, shadow, model on trial, and the evidence's kind, state and path, of every shadow event in the database"""
    lines: list[dict[str, Any]]
    report: dict[str, Any]
    log: str
    data: Path


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("shadow")
    write_lamp_film(folder / "lamp.mp4", fps=FPS, seconds=SECONDS, lit_s=LIT_S)
    (folder / "real.py").write_text(REAL, encoding="utf-8")
    (folder / "trial.py").write_text(TRIAL, encoding="utf-8")
    settings = {
        "cameras": {"yard": {"inputs": [{"path": "lamp.mp4", "mode": "lossless"}], "detect": {"fps": FPS}}},
        "models": {
            "real": {"kind": "python", "plugin": "real.py:Real"},
            "trial": {"kind": "python", "plugin": "trial.py:Trial", "shadow": True},
        },
        "rules": {
            "lamp-on": {"when": "count(lamp) >= 1 for 500ms", "cooldown": "1s"},
            "ghosts": {"when": "count(ghost) >= 1 for 500ms", "cooldown": "1s"},
            "tried": {"when": "count(lamp) >= 1 for 1s", "cooldown": "1s", "shadow": True},
        },
    }
    with Running(folder, settings) as run:
        assert run.wait_ended(60) == 0
        with contextlib.closing(sqlite3.connect(run.data / "penstock.db")) as database:
            rows = database.execute(
                "select rule, shadow, shadow_model from events order by rule, shadow_model"
            ).fetchall()
            pictures = database.execute(
                "select e.rule, e.shadow, e.shadow_model, s.kind, s.state, s.path from events e"
                " join evidence s using (event_id) where e.shadow"
            ).fetchall()
        assert_books(run.report())
        return Story(
            list(journalled(run.data).values()), rows, pictures, run.events(), run.report(), run.log(), run.data
        )


def test_its_events_are_in_the_database_and_the_journal(story: Story) -> None:
    assert story.rows == [
        ("ghosts", 1, "trial"),
        ("lamp-on", 0, ""),
        ("lamp-on", 1, "trial"),
        ("tried", 1, ""),
        ("tried", 1, "trial"),
    ]
    assert sorted((event.rule, event.shadow, event.shadow_model) for event in story.journal) == [
        (rule, bool(shadow), model) for rule, shadow, model in story.rows
    ]
    assert len({event.event_id for event in story.journal}) == 5


def test_nobody_is_told_of_them(story: Story) -> None:
    assert {(line["rule"], line["shadow"]) for line in story.lines} == {("lamp-on", False)}
    assert len(story.lines) >= 2, "opened and ended"
    assert [event["rule"] for event in story.report["events"]] == ["lamp-on"]
    assert sorted((event["rule"], event["model"]) for event in story.report["shadow_events"]) == [
        ("ghosts", "trial"),
        ("lamp-on", "trial"),
        ("tried", ""),
        ("tried", "trial"),
    ]


def test_the_rule_itself_goes_by_the_real_model_alone(story: Story) -> None:
    real = next(event for event in story.journal if not event.shadow)
    trial = next(event for event in story.journal if (event.rule, event.shadow_model) == ("lamp-on", "trial"))
    assert real.end_utc_ns is not None
    assert trial.end_utc_ns is not None
    assert (real.start_utc_ns - trial.start_utc_ns) / 1e9 == pytest.approx(LIT_S[0], abs=0.15)
    assert (real.end_utc_ns - real.start_utc_ns) / 1e9 == pytest.approx(LIT_S[1] - LIT_S[0], abs=0.15)
    assert (trial.end_utc_ns - trial.start_utc_ns) / 1e9 == pytest.approx(SECONDS, abs=0.15)


def test_what_is_on_trial_has_a_picture_and_no_clip(story: Story) -> None:
    assert {(event.shadow, tuple(piece.kind.value for piece in event.evidence)) for event in story.journal} == {
        (False, ("clip", "snapshot")),
        (True, ("snapshot",)),
    }
    for event in story.journal:
        assert [piece.reason for piece in event.evidence if piece.state.value != "ready"] == []
    assert sorted(story.pictures) == sorted(
        (event.rule, 1, event.shadow_model, "snapshot", "ready", event.evidence[0].path)
        for event in story.journal
        if event.shadow
    )
    for rule, _, model, _, _, path in story.pictures:
        file = story.data / path
        with Image.open(file) as picture:
            assert (picture.format, picture.size) == ("JPEG", (320, 180)), (rule, model)
            lamp = np.asarray(picture.convert("L"))[90:110, 210:230].mean()
        # The model on trial confirms half a second into the film; a rule that asks for 1 s, when the lamp is lit.
        assert (lamp > 180) == (rule == "tried"), (rule, model, lamp)
        assert sorted(beside.name for beside in file.parent.iterdir()) == ["manifest.json", "snapshot.jpg"]


def test_the_archive_is_whole_with_what_has_no_clip(story: Story) -> None:
    assert verify_archive(story.data) == Verification(1, 5, ())
    assert len(list(story.data.glob("clips/**/*.mp4"))) == 1
    for event in story.journal:
        manifest = read_manifest(story.data / event.evidence[0].manifest)
        assert (manifest.failure != "", manifest.parts == (), manifest.snapshot is not None) == (
            event.shadow,
            event.shadow,
            True,
        )


def test_the_log_tells_them_apart(story: Story) -> None:
    assert story.log.count("shadow event ") == 4
