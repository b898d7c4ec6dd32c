"""Addresses of cameras of every kind, as the configuration takes them."""

import json
from pathlib import Path

import pytest

from penstock.config.loader import load_config
from penstock.config.problems import ConfigError

GOOD = {
    "rtsps://cam/1": "rtsps://cam/1",
    "http://cam/video.mjpg": "http://cam/video.mjpg",
    "https://cam/live.m3u8": "https://cam/live.m3u8",
    "push://crane_2": "push://crane_2",
    "/dev/video0": "/dev/video0",
    "v4l2:///dev/video0?input_format=mjpeg": "v4l2:///dev/video0?input_format=mjpeg",
    "python:package.module:factory": "python:package.module:factory",
    "python:mine.py:factory": "python:{folder}/mine.py:factory",
}
BAD = {
    "gopher://cam": "gopher:// are not known",
    "push://a/b": "takes a plain name",
    "python:factory": "names no factory",
    "python:none.py:factory": "there is no file",
}


def loaded(tmp_path: Path, address: str, **more: str) -> str:
    (tmp_path / "mine.py").write_text("")
    path = tmp_path / "penstock.yaml"
    camera = {"inputs": [{"path": address, "roles": ["detect", "record"], **more}]}
    path.write_text(json.dumps({"cameras": {"gate": camera}}))
    return load_config(path, {}).config.cameras["gate"].streams[0].path


@pytest.mark.parametrize(("address", "path"), GOOD.items(), ids=GOOD)
def test_known_addresses(tmp_path: Path, address: str, path: str) -> None:
    assert loaded(tmp_path, address) == path.format(folder=tmp_path)


@pytest.mark.parametrize(("address", "words"), BAD.items(), ids=BAD)
def test_addresses_that_cannot_be(tmp_path: Path, address: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        loaded(tmp_path, address)


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no file .*/ca\.pem"):
        loaded(tmp_path, "rtsps://cam/1", tls_ca="ca.pem")
