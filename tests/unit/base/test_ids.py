"""Names that never repeat and sort by time."""

from pathlib import Path

import pytest

from penstock.base import ids

UTC_NS = 1_800_000_000_123_456_789


def test_run_ids_sort_by_time_and_differ() -> None:
    made = [ids.new_run_id(UTC_NS + n * 1_000_000) for n in range(100)]
    assert made == sorted(made)
    assert len({ids.new_run_id(UTC_NS) for _ in range(100)}) == 100
    assert all(len(one) == 20 and int(one[:12], 16) == (UTC_NS // 10**6 + n) for n, one in enumerate(made))


def test_session_ids_sort_by_time_differ_and_fit_a_signed_word() -> None:
    made = [ids.new_session_id(UTC_NS + n * 1_000_000) for n in range(100)]
    assert made == sorted(made)
    assert len({ids.new_session_id(UTC_NS) for _ in range(500)}) > 498
    assert all(0 < one < 2**63 for one in made)
    assert made[0] >> 22 == UTC_NS // 10**6


def test_a_host_without_machine_id_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "box")
    for content, expected in ((None, "box"), ("\n", "box"), ("abc123\n", "abc123")):
        path = tmp_path / "machine-id"
        if content is not None:
            path.write_text(content)
        monkeypatch.setattr(ids, "_MACHINE_ID", path)
        assert ids.host_id() == expected


def test_the_boot_id_is_the_kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ids.boot_id()) > 8
    assert ids.boot_id() == ids.boot_id()
    monkeypatch.setattr(ids, "_BOOT_ID", tmp_path / "none")
    assert ids.boot_id() == "unknown-boot"
