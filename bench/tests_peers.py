"""Programs of the integration tests that benchmarks use too, loaded by path: the tests' folders are no packages."""

import importlib.util
import sys
from types import ModuleType

from bench.environment import ROOT


def load(path: str) -> ModuleType:
    """The module at `path`, relative to `tests`."""
    name = f"bench_{path.removesuffix('.py').replace('/', '_')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
