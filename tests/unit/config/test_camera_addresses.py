"""Addresses of cameras of every kind, as the configuration takes them."""

import json
from pathlib import Path

import pytest

from penstock.config.loader import load_config
from penstock.config.problems import ConfigError
from penstock.config.quick import quick_config

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
    "10.0.0.5/stream1": r"begins with rtsp://; write rtsp://10\.0\.0\.5/stream1",
    "camera.local:554/stream1": "write rtsp://camera.local:554/stream1",
    "rtsp:/10.0.0.5/stream1": r"write rtsp://10\.0\.0\.5/stream1",
    "https//camera.local/live.m3u8": "begins with https://; write https://camera.local/live.m3u8",
    "nothing.mp4": "there is no file",
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


@pytest.mark.parametrize("before", ["", "rtsp:/", "rtsp//", "rtsp:"])
def test_a_password_is_not_shown_where_the_scheme_is_wrong(tmp_path: Path, before: str) -> None:
    address = f"{before}user:s3cret@10.0.0.5/x"
    with pytest.raises(ConfigError, match=r"begins with rtsp://; write rtsp://\*\*\*@10\.0\.0\.5/x") as told:
        loaded(tmp_path, address)
    assert "s3cret" not in str(told.value)
    with pytest.raises(ConfigError, match="begins with rtsp://") as told:
        quick_config([address.removesuffix("/x")], base=tmp_path)
    assert "s3cret" not in str(told.value)
    assert "cameras.camera1.url" in str(told.value)


def test_a_file_that_looks_like_an_address_is_one_where_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "10.0.0.5").mkdir()
    (tmp_path / "10.0.0.5" / "clip.mp4").write_bytes(b"")
    assert loaded(tmp_path, "10.0.0.5/clip.mp4") == f"{tmp_path}/10.0.0.5/clip.mp4"
