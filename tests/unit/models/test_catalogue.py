"""Known models are permissive, pinned and named once; a bare name stands for a fetched file."""

import re
from pathlib import Path

import pytest

from penstock.models.catalogue.folder import fetched_models, models_folder, resolved
from penstock.models.catalogue.known import PERMISSIVE, KnownModel, known_model, known_models
from penstock.models.errors import ModelError


@pytest.mark.parametrize("known", known_models().values(), ids=lambda known: known.name)
def test_every_entry_is_permissive_and_pinned(known: KnownModel) -> None:
    assert known.licence in PERMISSIVE
    assert known.url.startswith("https://")
    assert known.licence_url.startswith("https://")
    assert known.task in ("detection", "faces", "classification")
    assert re.fullmatch(r"[a-z0-9_]+", known.name)
    assert not known.sha256 or re.fullmatch(r"[0-9a-f]{64}", known.sha256)
    # Who follows a branch must know the hash.
    assert known.sha256 or "/main/" not in known.url


def test_one_is_recommended_and_comes_first() -> None:
    models = list(known_models().values())
    assert [model.recommended for model in models] == [True] + [False] * (len(models) - 1)
    assert models[0].name == "yolox_nano"
    assert len({model.sha256 for model in models}) == len(models)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="Did you mean 'yolox_nano'"):
        known_model("yolox_nona")
    with pytest.raises(ModelError, match="Known models: yolox_nano, "):
        known_model("zzz")


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_DATA_HOME": "/data", "HOME": "/home/a"}, "/data/penstock/models"),
        ({"XDG_DATA_HOME": "not/absolute", "HOME": "/home/a"}, "/home/a/.local/share/penstock/models"),
        ({"HOME": "/home/a"}, "/home/a/.local/share/penstock/models"),
    ],
)
def test_the_folder_follows_xdg(environ: dict[str, str], folder: str) -> None:
    assert models_folder(environ) == Path(folder)


def test_names_stand_for_fetched_files(tmp_path: Path) -> None:
    folder, here = tmp_path / "models", tmp_path / "here"
    assert fetched_models(folder) == []
    folder.mkdir()
    here.mkdir()
    assert resolved("some/file.onnx", folder, base=here) == "some/file.onnx"
    assert resolved("mine.onnx", folder, base=here) == "mine.onnx"
    with pytest.raises(ModelError, match="penstock models get yolox_nano"):
        resolved("yolox_nano", folder, base=here)
    (folder / "yolox_nano.onnx").write_bytes(b"x")
    (folder / ".yolox_s.onnx.part").write_bytes(b"half")
    (folder / "mine.onnx").write_bytes(b"xy")
    assert resolved("yolox_nano", folder, base=here) == str(folder / "yolox_nano.onnx")
    assert [(model.name, model.size_bytes, model.known) for model in fetched_models(folder)] == [
        ("mine", 2, False),
        ("yolox_nano", 1, True),
    ]
    (here / "yolox_nano").write_bytes(b"a file of that very name wins")
    assert resolved("yolox_nano", folder, base=here) == "yolox_nano"
