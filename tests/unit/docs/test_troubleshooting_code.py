"""What docs/troubleshooting.md quotes of rare faults (a full disk, a busy device) is what the code says of them."""

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from quoted_page import Said, assert_said, names_of

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.cli import devices_command
from penstock.contracts.clips import ClipJob, ClipResult
from penstock.contracts.sources import SourceError
from penstock.contracts.specs import RecordSpec
from penstock.contracts.times import ClockReading
from penstock.evidence.clip import Clip
from penstock.evidence.dossier import reason_of
from penstock.evidence.parts import ClipFailed
from penstock.evidence.recorder import JOB_BOUND, Recorder
from penstock.ingest.picture_watch import PATIENCE_NS, PictureWatch
from penstock.sources import certificates
from penstock.sources.v4l2 import device_problem
from penstock.store.journal import JournalWriter
from penstock.testkit.rings import ListRing


def of_certificate(tmp_path: Path) -> str:
    (tmp_path / "camera.pem").write_text("no certificate", encoding="ascii")
    with pytest.raises(SourceError) as caught:
        certificates.require_readable(str(tmp_path / "camera.pem"), "rtsps://192.0.2.10/stream1")
    return str(caught.value).replace(f"{tmp_path}/", "")


def of_distrust(_tmp_path: Path) -> str:
    return str(certificates.fault("rtsps://192.0.2.10/stream1", "self-signed certificate", "other.pem"))


def of_devices(tmp_path: Path) -> str:
    return "\n".join(devices_command.none_found(tmp_path)).replace(str(tmp_path), "/dev")


def of_device(number: int) -> Callable[[Path], str]:
    def said(_tmp_path: Path) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("builtins.open", refusing(number))
            return str(device_problem("/dev/video0"))

    return said


def refusing(number: int) -> Callable[..., Any]:
    def opened(path: str, *_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number), path)

    return opened


def of_blindness(*, keyframe: bool) -> Callable[[Path], str]:
    def said(_tmp_path: Path) -> str:
        watch = PictureWatch(0)
        watch.unit(1, keyframe)
        return watch.unit(PATIENCE_NS, False)

    return said


def of_full_disk(_tmp_path: Path) -> str:
    return reason_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "clips/front/clip.mp4"))


def of_full_recorder(tmp_path: Path) -> str:
    results: list[ClipResult] = []
    recorder = Recorder(tmp_path, {}, SimulatedClock(), results.append, "penstock")
    taken = [recorder.submit_nowait(clip_job(number)) for number in range(JOB_BOUND + 1)]
    assert taken == [True] * JOB_BOUND + [False]
    return results[0].evidence[0].reason


def of_empty_clip(tmp_path: Path) -> str:
    with pytest.raises(ClipFailed) as caught:
        Clip(clip_job(1), RecordSpec(pre_capture_ns=5 * NS_PER_S), ListRing(), tmp_path).finish(0)
    return str(caught.value)


def clip_job(number: int) -> ClipJob:
    return ClipJob(f"{number:032x}", "somebody", "front", 0, 0, 0, ClockReading("", 0, 0), "run")


def of_full_disk_of_journal(tmp_path: Path) -> str:
    """What the journal logs where the system lets nobody write."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("penstock.store.journal").addHandler(handler)
    try:
        journal = JournalWriter(tmp_path, SimulatedClock())
        journal._failed(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    finally:
        logging.getLogger("penstock.store.journal").removeHandler(handler)
    return lines[0]


FUNCTIONS: dict[str, Callable[[Path], str]] = {
    "certificate": of_certificate,
    "untrusted": of_distrust,
    "no-devices": of_devices,
    "device-not-allowed": of_device(errno.EACCES),
    "device-busy": of_device(errno.EBUSY),
    "no-keyframe": of_blindness(keyframe=False),
    "undecodable": of_blindness(keyframe=True),
    "disk-clip": of_full_disk,
    "disk-journal": of_full_disk_of_journal,
    "clip-refused": of_full_recorder,
    "clip-empty": of_empty_clip,
}


def test_everything_that_only_code_says_is_compared() -> None:
    assert FUNCTIONS.keys() == names_of("code")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_said(name: str, tmp_path: Path) -> None:
    assert_said(name, Said(FUNCTIONS[name](tmp_path)))
