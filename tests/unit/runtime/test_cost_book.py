"""What was measured is found again by content, and nothing else is believed."""

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.contracts.frames import PixelFormat, ViewSpec
from penstock.contracts.specs import CameraSpec, ExecutorSpec, ModelSpec, RunSpec, StreamSpec
from penstock.contracts.times import ClockReading
from penstock.contracts.work import ModelDescription
from penstock.runtime.cost_book import FILE, MAX_MODELS, CostBook, KnownCamera, KnownModel
from penstock.runtime.model_identity import HostFacts, camera_key, cpu_name, model_key
from penstock.scheduling.picture import CameraCost, HostSupply, LaneDemand, ModelCost, Picture

HOST = HostFacts("a processor", 4)
KNOWN = KnownModel("people", stream_ns=8e6, host_ns=9e6, memory_bytes=1000, view_bytes=300, utc_ns=5)
CAMERA = CameraSpec("front", (StreamSpec("front", "rtsp://viewer:secret@10.0.0.5/1"),))
SEEN = KnownCamera("front", 25, 0.5, 0.3, 1e6, 640, 360, 7)


def network(folder: Path, content: bytes = b"weights", **keys: Any) -> tuple[ModelSpec, ExecutorSpec]:
    path = folder / "m.onnx"
    path.write_bytes(content)
    model = ModelSpec(name="people", path=str(path), **keys)
    return model, ExecutorSpec("cpu", "cpu", (model,), 2)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    model, executor = network(tmp_path)
    book = CostBook(HOST)
    book.learn_model(model, executor, KNOWN)
    book.learn_camera(CAMERA, SEEN)
    book.fixed_ns = 3e7
    assert book.write(tmp_path)
    read = CostBook.read(tmp_path, HOST)
    assert (read.model(model, executor), read.camera(CAMERA), read.fixed_ns) == (KNOWN, SEEN, 3e7)
    assert [path.name for path in tmp_path.iterdir() if path.name != "m.onnx"] == [FILE]
    assert "secret" not in (tmp_path / FILE).read_text()


CHANGES: dict[str, dict[str, Any]] = {
    "another device": {"device": "gpu"},
    "another backend": {"backend": "openvino"},
    "another head": {"head": "yolox"},
    "other options": {"options": {"x": 1.0}},
    "other parameters": {"parameters": {"sleep_ms": 10}},
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_the_price_changes_the_key(tmp_path: Path, name: str) -> None:
    model, executor = network(tmp_path)
    assert model_key(msgspec.structs.replace(model, **CHANGES[name]), executor) != model_key(model, executor)
    more = msgspec.structs.replace(executor, streams=3)
    assert model_key(model, more) != model_key(model, executor)


def test_what_does_not_change_the_price_does_not_change_the_key(tmp_path: Path) -> None:
    model, executor = network(tmp_path)
    other = msgspec.structs.replace(model, name="renamed", labels=("person",), confidence=0.5)
    assert model_key(other, executor) == model_key(model, executor) != ""


def test_another_file_under_the_same_name_is_another_model(tmp_path: Path) -> None:
    model, executor = network(tmp_path)
    book = CostBook(HOST)
    book.learn_model(model, executor, KNOWN)
    book.write(tmp_path)
    network(tmp_path, b"other weights")
    assert CostBook.read(tmp_path, HOST).model(model, executor) is None
    assert book.model(model, executor) == KNOWN, "the file that is loaded counts as long as it is"


def test_a_file_that_is_not_there_is_nobody(tmp_path: Path) -> None:
    model = ModelSpec(name="people", path=str(tmp_path / "none.onnx"))
    executor = ExecutorSpec("cpu", "cpu", (model,))
    book = CostBook(HOST)
    book.learn_model(model, executor, KNOWN)
    assert book.model(model, executor) is None


def test_plugins_are_known_by_their_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "lamp_of_a_user.py"
    file.write_text("raise SystemExit('never run')")
    by_file = ModelSpec(name="a", kind="python", plugin=f"{file}:Lamp")
    executor = ExecutorSpec("python-a", "cpu", (by_file,))
    first = model_key(by_file, executor)
    monkeypatch.syspath_prepend(str(tmp_path))
    by_module = ModelSpec(name="a", kind="python", plugin="lamp_of_a_user:Lamp")
    assert model_key(by_module, executor) == first != ""
    file.write_text("raise SystemExit('changed')")
    assert model_key(by_file, executor) != first
    for nowhere in ("lamps_of_nobody:Lamp", "lamp_of_a_user.below:Lamp"):
        assert model_key(ModelSpec(name="a", kind="python", plugin=nowhere), executor) == ""


def test_a_camera_is_its_address_without_credentials() -> None:
    other = CameraSpec("back", (StreamSpec("back", "rtsp://someone:else@10.0.0.5/1"),))
    assert camera_key(other) == camera_key(CAMERA)
    assert camera_key(CameraSpec("front", (StreamSpec("front", "rtsp://10.0.0.5/2"),))) != camera_key(CAMERA)


def test_on_another_host_only_what_cameras_send_is_believed(tmp_path: Path) -> None:
    model, executor = network(tmp_path)
    book = CostBook(HOST)
    book.learn_model(model, executor, KNOWN)
    book.learn_camera(CAMERA, SEEN)
    book.fixed_ns = 3e7
    book.write(tmp_path)
    read = CostBook.read(tmp_path, HostFacts("a processor", 8))
    assert read.model(model, executor) is None
    assert read.camera(CAMERA) == msgspec.structs.replace(SEEN, unit_ns=0)
    assert read.fixed_ns == 0


FOREIGN: dict[str, bytes] = {
    "torn": b'{"version": 1, "host": {"cpu": "a pro',
    "empty": b"",
    "a list": b"[]",
    "of another version": json.dumps({"version": 9, "host": {"cpu": "a processor", "cores": 4}}).encode(),
    "a cost below zero": json.dumps(
        {
            "version": 1,
            "host": {"cpu": "a processor", "cores": 4},
            "models": {"k": {"name": "m", "stream_ns": -1, "host_ns": 1}},
        }
    ).encode(),
    "too deep": b"[" * 100_000,
    "not text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_book_is_ignored_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    (tmp_path / FILE).write_bytes(FOREIGN[name])
    with caplog.at_level(logging.WARNING):
        book = CostBook.read(tmp_path, HOST)
    assert book.camera(CAMERA) is None
    [record] = caplog.records
    assert "costs are measured anew" in record.getMessage()
    assert book.write(tmp_path)
    assert CostBook.read(tmp_path, HOST).camera(CAMERA) is None


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 400), st.binary(max_size=3))
def test_a_book_with_any_damage_is_read_or_ignored(
    at: int,
    damage: bytes,
) -> None:

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        book = CostBook(HOST)
        book.learn_camera(CAMERA, SEEN)
        book.write(folder)
        data = (folder / FILE).read_bytes()
        (folder / FILE).write_bytes(data[:at] + damage + data[at + len(damage) + 1 :])
        found = CostBook.read(folder, HOST).camera(CAMERA)
        assert found is None or found.unit_fps > 0


def test_no_book_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert CostBook.read(tmp_path / "nowhere", HOST).camera(CAMERA) is None
    assert caplog.records == []


def test_a_folder_that_is_gone_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not CostBook(HOST).write(tmp_path / "gone")
    assert "the next run measures its costs anew" in caplog.text


def test_the_oldest_leave_a_full_book(tmp_path: Path) -> None:
    book = CostBook(HOST)
    pairs = []
    for number in range(MAX_MODELS + 1):
        model = ModelSpec(name=f"m{number}", kind="motion", options={"number": float(number)})
        executor = ExecutorSpec("motion", "cpu", (model,))
        pairs.append((model, executor))
        book.learn_model(model, executor, msgspec.structs.replace(KNOWN, utc_ns=1000 - number))
    book.write(tmp_path)
    read = CostBook.read(tmp_path, HOST)
    assert [model.name for model, executor in pairs if read.model(model, executor) is None] == [f"m{MAX_MODELS}"]


def test_it_learns_what_a_run_has_measured(tmp_path: Path) -> None:
    model, executor = network(tmp_path)
    motion = ModelSpec(name="motion", kind="motion")
    executor = msgspec.structs.replace(executor, models=(model, motion))
    spec = RunSpec("h", "b", "r", ClockReading("monotonic", 0, 0), "", (CAMERA,), (executor,), (), (), (("front",),))
    book = CostBook(HOST)
    book.learn_model(model, executor, KNOWN)
    book.learn_camera(CAMERA, SEEN)
    picture = Picture(
        lanes=(
            LaneDemand("front/people", "front", "people", "cpu", views=2.0),
            LaneDemand("back/people", "back", "people", "cpu", views=1.0),
        ),
        models=(
            ModelCost("people", "cpu", stream_ns=7e6, host_ns=7.5e6),
            ModelCost("motion", "cpu", stream_ns=3e5, measured=False),
        ),
        cameras=(CameraCost("front", unit_fps=12.5, keyframe_fps=0.25, disposable=0.5, unit_ns=2e6),),
        executors=(),
        host=HostSupply(4, fixed_ns=4e7),
    )
    described = ModelDescription("people", ViewSpec(20, 10, PixelFormat.BGR24), "hash", "yolox", (), "cpu")
    book.learn(spec, picture, 99, [described])
    assert book.model(model, executor) == KnownModel(
        "people", 7e6, 7.5e6, views=1.5, memory_bytes=1000, view_bytes=600, utc_ns=99
    )
    assert book.model(motion, executor) is None, "what was estimated is not learnt"
    assert book.camera(CAMERA) == KnownCamera("front", 12.5, 0.25, 0.5, 2e6, 640, 360, 99)
    book.learn(spec, picture, 100, [described], {"front": (1280, 720), "back": (1, 1)})
    assert book.camera(CAMERA) == KnownCamera("front", 12.5, 0.25, 0.5, 2e6, 1280, 720, 100)
    assert book.fixed_ns == 4e7


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor : 0\nmodel name\t: Big CPU @ 3GHz\nmodel name\t: Big CPU @ 3GHz\n", "Big CPU @ 3GHz"),
        ("processor : 0\nBogoMIPS : 108\n\nHardware : Board 5\nModel : Board 5 Rev 1\n", "Board 5"),
        ("", ""),
    ],
)
def test_the_processor_s_name(text: str, name: str) -> None:
    assert cpu_name(text) == name
