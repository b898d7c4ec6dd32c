"""Folder names: safe everywhere, readable, never shared."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.evidence.naming import event_folder, iso_utc, safe_name, write_whole


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("gate", "gate"),
        ("front-door_2.a", "front-door_2.a"),
        ("Tür", "Tür"),
        ("front door", "front-door-"),
        ("../../etc", "etc-"),
        ("", "unnamed-"),
        ("..", "unnamed-"),
        ("x" * 300, "x" * 48 + "-"),
    ],
)
def test_known_names(name: str, start: str) -> None:
    made = safe_name(name)
    assert made.startswith(start)
    assert len(made) == len(start) + (6 if start.endswith("-") else 0)


@given(st.text(), st.text())
def test_names_are_one_safe_component_and_differ_where_they_differ(one: str, other: str) -> None:
    made = safe_name(one)
    assert made
    assert len(made) <= 55
    assert not made.startswith(".")
    assert all(c.isalnum() or c in "._-" for c in made)
    assert len(Path(made).parts) == 1
    if one != other:
        assert made != safe_name(other)


def test_the_folder_says_camera_day_time_and_rule() -> None:
    folder = event_folder(Path("/data"), "gate", "loitering", "0123456789abcdef", 1_800_000_000_999_999_999)
    assert folder == Path("/data/clips/gate/2027-01-15/08-00-00_loitering_01234567")


def test_instants_keep_their_microseconds() -> None:
    assert iso_utc(1_800_000_000_123_456_789) == "2027-01-15T08:00:00.123456Z"


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "there"
    write_whole(target, b"one")
    write_whole(target, b"two")
    assert target.read_bytes() == b"two"
    folder = tmp_path / "folder"
    (folder / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        write_whole(folder, b"three")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "there"]
