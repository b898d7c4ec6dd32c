"""Source plugins: found, guarded, and named when they fail."""

import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.identity import Role, StreamKey
from penstock.contracts.sources import SessionStatistics, SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.sources.plugin import PluginSource

WORKING = """
from penstock.contracts.sources import SourceError, SourceFault

class Session:
    session = 9
    def info(self, info_id): raise KeyError(info_id)
    def wait_read(self): {read}
    def interrupt(self): raise RuntimeError("cannot stop")
    def close(self): raise RuntimeError("cannot close")

class Mine:
    url = "mine"
    live, lossless, seekable = True, False, False
    def __init__(self, spec, key, clock, new_session): self.key = key(new_session())
    def wait_open(self): return Session()
    def interrupt(self): raise RuntimeError("cannot stop")

factory = Mine
"""


def source_of(address: str) -> PluginSource:
    def key(session: int) -> StreamKey:
        return StreamKey("h", "b", "r", "cam", Role.DETECT, session)

    return PluginSource(StreamSpec("cam", address), key=key, clock=SimulatedClock(), new_session=lambda: 1)


def written(tmp_path: Path, code: str) -> str:
    path = tmp_path / "mine.py"
    path.write_text(code, encoding="utf-8")
    return f"python:{path}:factory"


def failing(address: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source_of(address).wait_open()
    assert address in str(caught.value)
    return caught.value


FAULTS: dict[str, tuple[str, SourceFault, str]] = {
    "syntax": ("factory = (", SourceFault.IO_ERROR, "its module raised SyntaxError"),
    "import": ("import nothing_like_it\nfactory = 1", SourceFault.IO_ERROR, "raised ModuleNotFoundError"),
    "no factory": ("other = 1", SourceFault.NOT_FOUND, "has no callable 'factory'"),
    "factory raises": ("def factory(**a):\n    raise ValueError('bad')", SourceFault.IO_ERROR, "mine.py:2"),
    "no source": ("def factory(**a):\n    return 5", SourceFault.UNSUPPORTED, "gave a int without wait_open"),
    "own fault": (
        (
            "from penstock.contracts.sources import *\n"
            "def factory(spec, **a):\n    raise SourceError(SourceFault.REFUSED, spec.url + ' is shut')"
        ),
        SourceFault.REFUSED,
        "is shut",
    ),
}


@pytest.mark.parametrize(("code", "fault", "words"), FAULTS.values(), ids=FAULTS)
def test_faults_are_named_with_the_plugin(tmp_path: Path, code: str, fault: SourceFault, words: str) -> None:
    error = failing(written(tmp_path, code))
    assert error.fault is fault
    assert words in str(error)


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "there is no file" in str(failing(f"python:{tmp_path}/none.py:factory"))
    assert "there is no module no.such" in str(failing("python:no.such:factory"))
    assert "write python:" in str(failing("python:nonsense"))
    assert "has no callable 'fraction'" in str(failing("python:fractions:fraction"))


READS: dict[str, tuple[str, SourceFault, str]] = {
    "raises": ("return 1 / 0", SourceFault.IO_ERROR, "raised ZeroDivisionError: division by zero at "),
    "no item": ("return 'picture'", SourceFault.INVALID_DATA, "gave a str"),
    "says it itself": ("raise SourceError(SourceFault.ENDED, 'over')", SourceFault.ENDED, "over"),
}


@pytest.mark.parametrize(("read", "fault", "words"), READS.values(), ids=READS)
def test_a_session_is_guarded(
    tmp_path: Path, read: str, fault: SourceFault, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = source_of(written(tmp_path, WORKING.format(read=read)))
    session = source.wait_open()
    assert session.session == 9
    with pytest.raises(SourceError) as caught:
        session.wait_read()
    assert caught.value.fault is fault
    assert words in str(caught.value)
    with pytest.raises(SourceError, match="KeyError"):
        session.info(3)
    with caplog.at_level(logging.WARNING):
        session.interrupt()
        session.close()
        source.interrupt()
    assert [("cannot" in record.getMessage()) for record in caplog.records] == [True] * 3
    with pytest.raises(SourceError, match="reading was stopped"):
        source.wait_open()


def test_statistics_are_taken_where_a_plugin_counts(tmp_path: Path) -> None:
    plain = source_of(written(tmp_path, WORKING.format(read="return None"))).wait_open()
    assert plain.statistics() == SessionStatistics()
    counting = WORKING.replace("session = 9", "session = 9\n    def statistics(self): {read}")
    told = "from penstock.contracts.sources import SessionStatistics as S; return S(lost_packets=4)"
    assert source_of(written(tmp_path, counting.format(read=told))).wait_open().statistics().lost_packets == 4
    with pytest.raises(SourceError, match=r"statistics\(\) raised ZeroDivisionError"):
        source_of(written(tmp_path, counting.format(read="return 1 / 0"))).wait_open().statistics()


def test_a_session_without_number_is_a_fault_of_the_plugin(tmp_path: Path) -> None:
    code = WORKING.format(read="return None").replace("session = 9", "pass")
    with pytest.raises(SourceError, match="session raised AttributeError"):
        source_of(written(tmp_path, code)).wait_open()


def test_what_a_plugin_raises_is_told_without_its_password(tmp_path: Path) -> None:
    code = "def factory(**a):\n    raise ValueError('no route to rtsp://me:hunter2@cam/x')"
    assert "hunter2" not in str(failing(written(tmp_path, code)))


def test_who_is_stopped_while_loading_opens_nothing(tmp_path: Path) -> None:
    code = WORKING.format(read="return None") + "import stopping_now\nstopping_now.source.interrupt()\n"
    source = source_of(written(tmp_path, code))
    sys.modules["stopping_now"] = module = ModuleType("stopping_now")
    module.source = source  # type: ignore[attr-defined]
    try:
        with pytest.raises(SourceError, match="reading was stopped"):
            source.wait_open()
    finally:
        del sys.modules["stopping_now"]


def test_a_mended_file_is_loaded_at_the_next_attempt(tmp_path: Path) -> None:
    address = written(tmp_path, "factory = (")
    source = source_of(address)
    with pytest.raises(SourceError):
        source.wait_open()
    written(tmp_path, WORKING.format(read="return None"))
    session: Any = source.wait_open()
    assert session.session == 9
