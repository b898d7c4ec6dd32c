"""Where test material lies, and a plain reason where it does not."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real videos, models and ground truth beside the checkout; tests that need them skip where they are absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("test material is absent: ../shared/data does not exist beside this checkout")
    return SHARED_DATA
