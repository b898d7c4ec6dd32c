"""Pictures of people are not for every user of the host."""

import os
import stat
from pathlib import Path

import pytest

from penstock.runtime.application import keep_from_others


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o640), (0o077, 0o600), (0o000, 0o660)])
def test_what_a_run_makes_is_for_its_user_and_group(tmp_path: Path, mask: int, mode: int) -> None:
    earlier = os.umask(mask)
    try:
        before = keep_from_others()
        path = tmp_path / "snapshot.jpg"
        path.touch()
        assert (before, stat.S_IMODE(path.stat().st_mode)) == (mask, mode)
    finally:
        os.umask(earlier)
