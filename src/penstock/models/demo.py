"""Where the detector in the box lies: people and vehicles in the simulator's drawn scenes, and nothing else."""

from importlib.resources import files
from pathlib import Path


def demo_detector_path() -> Path:
    """The ONNX file, as `ModelSpec.path` wants it; its model card lies beside it with the suffix `.md`."""
    return Path(str(files("penstock.models").joinpath("data", "demo_detector.onnx")))
