"""Drawn scenes: the same by seed, still when they say so, and boxes where the figures are."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.simulator.choreography import Choreography
from penstock.simulator.scene import Scene
from penstock.simulator.video_file import VideoSpec, is_drawn, write_demo_video


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(1, width_px=320, height_px=180, fps=10, figures=3)


def test_the_same_seed_draws_the_same_picture(scene: Scene) -> None:
    again = Scene(1, width_px=320, height_px=180, fps=10, figures=3)
    other = Scene(2, width_px=320, height_px=180, fps=10, figures=3)
    assert scene.render(70).shape == (180, 320, 3)
    assert np.array_equal(scene.render(70), again.render(70))
    assert not np.array_equal(scene.render(70), other.render(70))


def test_the_loop_repeats(scene: Scene) -> None:
    assert np.array_equal(scene.render(0), scene.render(scene.frames))
    assert scene.true_boxes(3) == scene.true_boxes(3 + scene.frames)


@given(st.integers(0, 10_000), st.integers(1, 8), st.sampled_from([10.0, 30.0, 60.0]))
@settings(max_examples=60, deadline=None)
def test_a_third_of_each_loop_is_still_and_nobody_jumps(seed: int, figures: int, seconds: float) -> None:
    choreography = Choreography(seed, figures, seconds)
    assert choreography.still_s >= 8 / 30 * seconds
    steps = 400
    before = {pose.figure: pose for pose in choreography.poses(0.0)}
    moved = 0
    for step in range(1, steps + 1):
        at, last_at = step / steps, (step - 1) / steps
        now = {pose.figure: pose for pose in choreography.poses(at)}
        if choreography.still(at) and choreography.still(last_at):
            assert {f: (p.x, p.y) for f, p in now.items()} == {f: (p.x, p.y) for f, p in before.items()}
        assert all(abs(now[f].x - before[f].x) < 0.08 for f in now)
        moved += any(pose.moving for pose in now.values())
        before = now
    assert moved > steps / 3


def test_boxes_hold_what_moves(scene: Scene) -> None:
    """Between a still picture and a later one, what differs strongly lies within the boxes of both."""
    for index in range(50, 250, 10):
        inside = np.zeros((180, 320), bool)
        for box in scene.true_boxes(0) + scene.true_boxes(index):
            left, top, right, bottom = box.xyxy
            inside[int(top) : int(bottom) + 5, int(left) : int(right) + 2] = True
        changed = np.abs(scene.render(0).astype(int) - scene.render(index)).max(axis=2) > 30
        assert not (changed & ~inside).any()
        assert changed.any() or all(box.xyxy[2] - box.xyxy[0] < 4 for box in scene.true_boxes(index))


def test_boxes_lie_within_the_picture(scene: Scene) -> None:
    for index in range(scene.frames):
        for box in scene.true_boxes(index):
            left, top, right, bottom = box.xyxy
            assert 0 <= left < right <= 320
            assert 0 <= top < bottom <= 180


def test_figures_leave_and_come_back(scene: Scene) -> None:
    counts = [len(scene.true_boxes(index)) for index in range(scene.frames)]
    assert max(counts) == 3
    assert [count for count, before in zip(counts, [-1, *counts], strict=False) if (count == 0) != (before == 0)] == (
        [0, 1, 0, 1, 0]
    )


SMALL = VideoSpec(seed=1, width_px=160, height_px=90, seconds=10, fps=5, gop=5)


def test_a_video_is_drawn_once_and_again_when_it_is_to_differ(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "a.mp4"
    assert not is_drawn(path, SMALL)
    assert write_demo_video(path, SMALL)
    first = path.stat()
    assert is_drawn(path, SMALL)
    assert not write_demo_video(path, SMALL)
    assert path.stat().st_mtime_ns == first.st_mtime_ns
    assert write_demo_video(path, replace(SMALL, gop=10))
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


def test_a_broken_video_is_drawn_again(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"no video")
    assert write_demo_video(path, SMALL)


def test_a_video_shows_its_scene(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_demo_video(path, SMALL)
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 160, 90)
        assert stream.average_rate == 5
    assert [index for index, frame in enumerate(frames) if frame.key_frame] == list(range(0, 50, 5))
    for index in (0, 17, 43):
        decoded = frames[index].to_ndarray(format="rgb24").astype(int)
        assert np.abs(decoded - SMALL.scene().render(index)).mean() < 8


def test_an_interrupted_drawing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 10 s"):
        write_demo_video(tmp_path / "a.mp4", replace(SMALL, seconds=5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("figures", "seconds"), [(0, 30.0), (9, 30.0), (3, 5.0)])
def test_impossible_scenes_are_refused(figures: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="not"):
        Scene(1, width_px=64, height_px=36, figures=figures, seconds=seconds)
