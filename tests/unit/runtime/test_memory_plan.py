"""The memory of a run, added up before it starts; and the picture that a first plan begins from."""

from typing import Any

import pytest

from penstock.base.units import format_size
from penstock.config.schema import Config
from penstock.contracts.specs import DecodePolicy, RunSpec
from penstock.contracts.times import ClockReading
from penstock.runtime import admission_picture as assumed
from penstock.runtime import memory_plan as plan
from penstock.runtime.admission_picture import picture_of, without_lossless
from penstock.runtime.cost_book import CostBook, KnownCamera, KnownModel
from penstock.runtime.lossless import lossless_cameras
from penstock.runtime.memory_plan import MIB, MemoryLine, MemoryPlan, decoder_bytes, memory_plan
from penstock.runtime.model_identity import HostFacts
from penstock.runtime.translation import run_spec
from penstock.scheduling.picture import CameraCost, ExecutorSupply, LaneDemand, ModelCost

HOST = HostFacts("a processor", 2)


def spec_of(**keys: Any) -> RunSpec:
    cameras = {"a": {"url": "rtsp://h/1"}, "b": {"url": "rtsp://h/2", "buffer": {"size": "8MiB"}}}
    config = Config.model_validate({"cameras": cameras, **keys})
    return run_spec(config, host_id="h", boot_id="b", run_id="r", clock=ClockReading("monotonic", 1, 2), cores=2)


def test_the_sum_is_that_of_its_lines() -> None:
    found = memory_plan(spec_of(), CostBook(HOST))
    assert found.total_bytes == sum(line.count * line.each_bytes for line in found.lines)
    by_name = {line.what: line for line in found.lines}
    assert by_name["decoders"].count == 2
    assert by_name["decoders"].each_bytes == decoder_bytes(1920, 1080) == 4 * MIB + 7 * 1920 * 1080 * 3 // 2
    # Rings of two sizes, each with its index.
    rings = [line.each_bytes // MIB for line in found.lines if line.what == "packets kept in memory"]
    assert rings == [33, 9]
    assert by_name["views of pictures"].each_bytes == 4 * 320 * 180
    assert (by_name["packets passed over"].count, by_name["packets passed over"].each_bytes) == (2, 8 * MIB)
    assert "pictures kept for crops" not in by_name


def test_without_a_budget_everything_fits() -> None:
    assert memory_plan(spec_of(), CostBook(HOST)).fits


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)])
def test_the_budget_is_exact(spare: int, fits: bool) -> None:
    needed = memory_plan(spec_of(), CostBook(HOST)).total_bytes
    spec = spec_of(capacity={"memory_budget": needed + spare})
    assert memory_plan(spec, CostBook(HOST)).fits is fits


def test_the_refusal_shows_the_arithmetic_and_what_to_lower() -> None:
    lines = (
        MemoryLine("packets kept in memory", 8, 33 * MIB, "buffer.size and its index", "lower buffer.size"),
        MemoryLine("api", 1, 55 * MIB, "measured on another host"),
        MemoryLine("decoders", 8, 8 * MIB, "estimate", "analyse smaller streams"),
    )
    assert MemoryPlan(lines, 256 * MIB).refusal().splitlines() == [
        "the run would need 383 MiB of memory, which is 127 MiB more than capacity.memory_budget, 256 MiB:",
        "  packets kept in memory     264 MiB  (8 × 33 MiB, buffer.size and its index)",
        "  decoders                    64 MiB  (8 × 8 MiB, estimate)",
        "  api                         55 MiB  (measured on another host)",
        "  together                   383 MiB",
        "To make it fit: lower buffer.size; analyse smaller streams; or raise capacity.memory_budget to 383 MiB",
    ]


def test_what_was_measured_takes_the_place_of_estimates() -> None:
    spec = spec_of(models={"m": {"kind": "python", "plugin": f"{__file__}:Lamp"}})
    book = CostBook(HOST)
    before = {line.what: line for line in memory_plan(spec, book).lines}
    assert (before["model m"].each_bytes, before["model m"].basis) == (plan.PLUGIN_BYTES, "assumed")
    executor = spec.executors[0]
    known = KnownModel("m", 1e6, 1e6, memory_bytes=5 * MIB, view_bytes=1000)
    book.learn_model(executor.models[0], executor, known)
    book.learn_camera(spec.cameras[0], KnownCamera("a", 10, 1, width_px=640, height_px=360))
    after = memory_plan(spec, book).lines
    assert [line.total_bytes for line in after if line.what == "model m"] == [5 * MIB]
    assert [line.each_bytes for line in after if line.what == "views of pictures"] == [4000]
    sizes = {line.each_bytes: line.basis for line in after if line.what == "decoders"}
    assert sizes == {
        decoder_bytes(640, 360): "estimate for 640×360",
        decoder_bytes(1920, 1080): "estimate for 1920×1080, assumed",
    }


def test_the_first_picture_marks_what_is_assumed() -> None:
    detect = {"fps": 8, "min_fps": 2, "priority": 3, "weight": 2, "decode": "auto"}
    cameras = {"a": {"url": "rtsp://h/1", "detect": detect}}
    models = {
        "people": {"path": "/nowhere/p.onnx"},
        "faces": {"path": "/nowhere/f.onnx", "crops": {"of": "people", "limit": 6}, "shadow": True},
    }
    spec = spec_of(cameras=cameras, models=models, capacity={"cores": 1.5, "memory_budget": "2GiB"})
    book = CostBook(HOST)
    picture = picture_of(spec, book, {"a/people": 3.0, "a/faces": 99.0}, cores=2)
    people = LaneDemand("a/people", "a", "people", "cpu", 3, 2, 8, floor_fps=3)
    faces = LaneDemand("a/faces", "a", "faces", "cpu", 3, 2, 8, floor_fps=8, views=3, shadow=True)
    assert picture.lanes == (people, faces)
    assert [(cost.model, cost.stream_ns, cost.measured) for cost in picture.models] == [
        ("people", assumed.STREAM_NS["onnx"], False),
        ("faces", assumed.STREAM_NS["onnx"], False),
    ]
    [camera] = picture.cameras
    assert (camera.unit_fps, camera.configured, camera.measured) == (25, DecodePolicy.AUTO, False)
    assert camera.unit_ns == assumed.unit_ns(1920, 1080)
    assert picture.executors == (ExecutorSupply("cpu", 2),)
    assert (picture.host.cores, picture.host.memory_bytes) == (1.5, 2 << 30)


def test_what_earlier_runs_measured_is_in_the_first_picture() -> None:
    spec = spec_of(cameras={"a": {"url": "rtsp://h/1"}})
    executor = spec.executors[0]
    book = CostBook(HOST)
    book.learn_model(executor.models[0], executor, KnownModel("motion", 4e5, 7e5, memory_bytes=MIB))
    book.learn_camera(spec.cameras[0], KnownCamera("a", 12.5, 0.25, 0.5, 2e6, 640, 360))
    book.fixed_ns = 5e7
    picture = picture_of(spec, book, {}, cores=2)
    assert picture.models == (ModelCost("motion", "motion", 4e5, 7e5, memory_bytes=MIB),)
    [camera] = picture.cameras
    expected = CameraCost("a", 12.5, 0.25, 0.5, 2e6, memory_bytes=camera.memory_bytes)
    assert camera == expected
    assert (picture.host.cores, picture.host.fixed_ns) == (2, 5e7)


def test_a_camera_known_from_another_host_has_its_rate_and_an_estimated_cost() -> None:
    spec = spec_of(cameras={"a": {"url": "rtsp://h/1"}})
    book = CostBook(HOST)
    book.learn_camera(spec.cameras[0], KnownCamera("a", 12.5, 0.25, 0.5, 0, 640, 360))
    [camera] = picture_of(spec, book, {}, cores=2).cameras
    assert (camera.unit_fps, camera.unit_ns, camera.measured) == (12.5, assumed.unit_ns(640, 360), False)


def test_picture_and_plan_agree_about_memory() -> None:
    """Every line is in the picture once: at a camera, at a model, or among what is fixed."""
    spec = spec_of(
        cameras={
            "a": {"url": "rtsp://h/1"},
            "b": {"inputs": [{"path": "rtsp://h/2", "roles": ["record"]}], "models": []},
        }
    )
    book = CostBook(HOST)
    picture = picture_of(spec, book, {}, cores=2)
    parts = picture.host.fixed_memory_bytes
    parts += sum(cost.memory_bytes for cost in picture.models) + sum(cost.memory_bytes for cost in picture.cameras)
    assert format_size(parts) == format_size(memory_plan(spec, book).total_bytes)
    assert parts == memory_plan(spec, book).total_bytes


def test_pictures_are_kept_where_a_model_looks_at_crops() -> None:
    finder = {"path": "/nowhere/p.onnx"}
    looker = {"path": "/nowhere/f.onnx", "crops": {"of": "finder"}}
    cameras = {"a": {"url": "rtsp://h/1"}, "b": {"url": "rtsp://h/2", "models": ["finder"]}}
    spec = spec_of(cameras=cameras, models={"finder": finder, "looker": looker})
    book = CostBook(HOST)
    book.learn_camera(spec.cameras[0], KnownCamera("a", 10, 1, width_px=640, height_px=360))
    [kept] = [line for line in memory_plan(spec, book).lines if line.what == "pictures kept for crops"]
    assert (kept.count, kept.each_bytes, kept.basis) == (1, 4 * 640 * 360 * 3 // 2, "4 of 640×360")


def lossless_spec() -> RunSpec:
    return spec_of(
        cameras={
            "file": {"inputs": [{"path": "/nowhere/a.mp4", "mode": "lossless"}]},
            "live": {"url": "rtsp://h/1"},
            "mistaken": {"inputs": [{"path": "rtsp://h/2", "mode": "lossless"}]},
        }
    )


def test_what_is_read_without_loss_passes_nothing_over() -> None:
    lines = memory_plan(lossless_spec(), CostBook(HOST)).lines
    assert {line.what: line.count for line in lines}["decoders"] == 3
    assert {line.what: line.count for line in lines}["packets passed over"] == 2


def test_what_is_read_without_loss_has_memory_and_no_rate() -> None:
    """Only files are: a network camera is live, whatever its mode says."""
    spec = lossless_spec()
    book = CostBook(HOST)
    assert lossless_cameras(spec) == ("file",)
    picture = without_lossless(picture_of(spec, book, {}, cores=2), spec)
    assert [lane.lane for lane in picture.lanes] == ["live/motion", "mistaken/motion"]
    assert [camera.camera for camera in picture.cameras] == ["live", "mistaken"]
    assert [model.memory_bytes for model in picture.models] == [0], "it is loaded for the file in any case"
    parts = picture.host.fixed_memory_bytes
    parts += sum(cost.memory_bytes for cost in picture.models) + sum(cost.memory_bytes for cost in picture.cameras)
    assert parts == memory_plan(spec, book).total_bytes
