"""What `penstock run` shows to whoever has no camera at hand: two drawn ones, and a rule on what moves."""

from pathlib import Path

from penstock.simulator.scene import Scene
from penstock.simulator.video_file import write_demo_video

SECONDS, FPS, GOP = 30.0, 25, 50
SCENES = (("yard", 1, 3), ("gate", 2, 4))
"""name, seed and number of figures"""
RULE = "somebody_moves=count(motion) >= 1 for 1s"
RULE_SETTINGS = {"cooldown": "2s"}


def demo_cameras(data_dir: Path) -> list[str]:
    """Draws what is not there yet and returns `NAME=FILE` for each camera; 5 s on one core, the first time."""
    cameras = []
    for name, seed, figures in SCENES:
        path = data_dir / "demo" / f"{name}.mp4"
        write_demo_video(path, Scene(seed, seconds=SECONDS, fps=FPS, figures=figures), SECONDS, FPS, GOP)
        cameras.append(f"{name}={path}")
    return cameras
