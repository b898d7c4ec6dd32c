"""The benchmarks by name; each is loaded only when it runs, so that no contestant pays for another's imports."""

from importlib import import_module

from bench.records import Benchmark

NAMES = (
    "decision",
    "control_work",
    "pixel_work",
    "quantize",
    "rules",
    "journal",
    "hand_over",
    "connect",
    "cameras",
    "wake_up",
    "ages",
)


def load(name: str) -> Benchmark:
    benchmark = import_module(f"bench.{name}").BENCHMARK
    assert isinstance(benchmark, Benchmark)
    return benchmark
