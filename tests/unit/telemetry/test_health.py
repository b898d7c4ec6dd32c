"""Alive, ready, degraded or down: from statistics alone."""

import msgspec
import pytest

from penstock.contracts.messages import CameraState
from penstock.telemetry.analysis_statistics import LaneStatistics
from penstock.telemetry.health import health
from penstock.telemetry.statistics import CameraStatistics, ProcessStatistics

NOW_NS = 1_000_000_000_000


def changed(processes: list[ProcessStatistics], index: int, **fields: object) -> list[ProcessStatistics]:
    return [msgspec.structs.replace(p, **fields) if i == index else p for i, p in enumerate(processes)]


def with_camera(processes: list[ProcessStatistics], **fields: object) -> list[ProcessStatistics]:
    first, *others = processes[1].cameras
    return changed(processes, 1, cameras=(msgspec.structs.replace(first, **fields), *others))


def test_all_is_well(processes: list[ProcessStatistics]) -> None:
    answer, status = health(processes, NOW_NS)
    assert (answer["status"], answer["alive"], answer["ready"], answer["reasons"], status) == (
        "ok",
        True,
        True,
        [],
        200,
    )
    assert answer["cameras"][0] == {
        "camera": "front",
        "role": "detect",
        "ok": True,
        "state": "up",
        "fps": 25.0,
        "last_frame_age_s": 0.05,
        "fault": "",
    }


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": CameraState.DOWN, "fault": "refused"}, "camera front is down (refused)"),
        ({"fault": "it sends, but no keyframe"}, "camera front is up (it sends, but no keyframe)"),
        ({"state": CameraState.CONNECTING}, "camera front is connecting"),
        ({"last_frame_ns": NOW_NS - 11_000_000_000}, "camera front is up"),
    ],
)
def test_a_camera_that_is_away_degrades(
    processes: list[ProcessStatistics], fields: dict[str, object], reason: str
) -> None:
    answer, status = health(with_camera(processes, **fields), NOW_NS)
    assert (answer["status"], answer["ready"], status) == ("degraded", True, 200)
    assert answer["reasons"] == [reason]


def test_a_file_that_was_read_to_its_end_is_well(processes: list[ProcessStatistics]) -> None:
    ended = with_camera(processes, state=CameraState.ENDED, last_frame_ns=1)
    assert health(ended, NOW_NS)[0]["status"] == "ok"


def test_a_silent_process_is_not_alive(processes: list[ProcessStatistics]) -> None:
    answer, status = health(changed(processes, 2, published_ns=NOW_NS - 12_000_000_000), NOW_NS)
    assert (answer["status"], answer["alive"], status) == ("down", False, 503)
    assert answer["reasons"] == ["engine has not been heard of for 12 s"]


def test_a_process_that_starts_anew_is_not_ready(processes: list[ProcessStatistics]) -> None:
    child = msgspec.structs.replace(processes[0].children[0], state="restarting")
    answer, status = health(changed(processes, 0, children=(child,)), NOW_NS)
    assert (answer["alive"], answer["ready"], status) == (True, False, 503)


@pytest.mark.parametrize(("state", "status", "code"), [("loading", "down", 503), ("suspended", "degraded", 200)])
def test_models(processes: list[ProcessStatistics], state: str, status: str, code: int) -> None:
    model = msgspec.structs.replace(processes[2].models[0], state=state, fault="hung")
    answer, found = health(changed(processes, 2, models=(model,)), NOW_NS)
    assert (answer["status"], found) == (status, code)
    assert answer["reasons"] == [f"model people is {state} (hung)"]


def test_nothing_heard_yet() -> None:
    answer, status = health([], NOW_NS)
    assert (answer["status"], answer["alive"], answer["ready"], status) == ("down", False, False, 503)


def test_cameras_are_in_the_order_of_the_configuration() -> None:
    """Ingest processes have every n-th of them each; lanes are in order. Who has no lane comes last, by name."""
    groups = (("yard", "stairs", "attic"), ("door", "barn"))
    processes = [
        ProcessStatistics(f"ingest-{number}", cameras=tuple(CameraStatistics(name) for name in names))
        for number, names in enumerate(groups)
    ]
    lanes = tuple(LaneStatistics(camera, model) for camera in ("yard", "door", "stairs") for model in ("m", "n"))
    processes.append(ProcessStatistics("engine", lanes=lanes))
    answer, _ = health(processes, NOW_NS)
    assert [camera["camera"] for camera in answer["cameras"]] == ["yard", "door", "stairs", "attic", "barn"]
    before, _ = health(processes[:2], NOW_NS)
    assert [camera["camera"] for camera in before["cameras"]] == ["attic", "barn", "door", "stairs", "yard"]
