"""What `penstock run` shows to whoever has no camera at hand: two drawn ones, and a rule on what moves."""

from pathlib import Path

from penstock.simulator.draw import wait_drawn
from penstock.simulator.video_file import VideoSpec

VIDEOS = {"yard": VideoSpec(seed=1, figures=3), "gate": VideoSpec(seed=2, figures=4)}
RULE = "somebody_moves=count(motion) >= 1 for 1s"
RULE_SETTINGS = {"cooldown": "2s"}


def demo_cameras(data_dir: Path) -> list[str]:
    """Draws what is not there yet and returns `NAME=FILE` for each camera; a few seconds, the first time."""
    files = {name: data_dir / "demo" / f"{name}.mp4" for name in VIDEOS}
    wait_drawn({files[name]: spec for name, spec in VIDEOS.items()})
    return [f"{name}={path}" for name, path in files.items()]
