"""Cameras and models said beside a file are checked with it, and inherit what all its cameras do."""

from pathlib import Path
from typing import Any

import pytest

from penstock.config.loader import load_config
from penstock.config.problems import ConfigError

FILE = """\
defaults: {detect: {fps: 3, priority: 7}}
cameras: {front: {url: rtsp://h/1}}
models: {people: {path: p.onnx}}
"""


def loaded(tmp_path: Path, added: dict[str, dict[str, Any]], text: str = FILE) -> Any:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return load_config(path, {}, files=False, added=added).config


def test_they_stand_beside_those_of_the_file(tmp_path: Path) -> None:
    added: dict[str, dict[str, Any]] = {
        "cameras": {"yard": {"url": "rtsp://h/2", "detect": {"fps": 8}}},
        "models": {"faces": {"path": "f.onnx"}},
    }
    config = loaded(tmp_path, added)
    assert list(config.cameras) == ["front", "yard"]
    assert list(config.models) == ["people", "faces"]
    yard = config.cameras["yard"].detect
    assert (yard.fps, yard.priority) == (8, 7)


def test_a_section_that_the_file_does_not_have_is_made(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"models": {"faces": {"path": "f.onnx"}}}, "cameras: {front: {url: rtsp://h/1}}\n")
    assert list(config.models) == ["faces"]


def test_nothing_of_the_file_is_replaced(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, {"cameras": {"front": {"url": "rtsp://h/9"}}})
    assert str(caught.value) == ("command line: cameras.front: the file has one of that name; choose another name")


def test_what_is_wrong_with_them_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no model 'peple'; did you mean people"):
        loaded(tmp_path, {"cameras": {"yard": {"url": "rtsp://h/2", "models": ["peple"]}}})


def test_a_file_of_another_shape_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected names, each with its settings"):
        loaded(tmp_path, {"cameras": {"yard": {"url": "rtsp://h/2"}}}, "cameras: [1]\n")
