"""Every fault of `penstock simulate`, as a client sees it."""

import itertools
import re
import time
from pathlib import Path

import av.error
import pytest
from simulating import PLAIN, Simulating
from viewing import numbers, opened, read, viewed

from penstock.contracts.sources import SourceFault
from penstock.contracts.specs import Transport
from penstock.simulator.film import film_of_file


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn once for all tests of this file."""
    return tmp_path_factory.mktemp("films")


def test_a_stalled_camera_goes_silent_and_comes_back(films: Path) -> None:
    with Simulating(films, *PLAIN, "--fault", "yard:stall@2s+2s") as running:
        with read(running.camera.url, stall_ms=1000) as reading:
            assert reading.wait_fault() is SourceFault.STALLED
        # The connection was there all along, and a new one gets pictures once the stall is over.
        assert None not in numbers(viewed(running.camera.url)[1])


def test_a_camera_that_is_down_hangs_up_and_is_found_again(films: Path) -> None:
    with Simulating(films, *PLAIN, "--fault", "yard:down@2s+2s") as running:
        with read(running.camera.url) as reading:
            assert reading.wait_fault() in (SourceFault.ENDED, SourceFault.IO_ERROR)
        with pytest.raises(av.error.HTTPNotFoundError):
            viewed(running.camera.url)
        back_s = time.monotonic() + 8
        while True:
            try:
                assert None not in numbers(viewed(running.camera.url)[1])
                return
            except av.error.HTTPNotFoundError:
                assert time.monotonic() < back_s
                time.sleep(0.1)


def test_lost_packets_are_seen_as_damage(films: Path) -> None:
    with Simulating(films, *PLAIN, "--fault", "yard:loss=20%") as running:
        with read(running.camera.url, transport=Transport.UDP) as reading:
            damaged = reading.until(lambda packet: packet.corrupt)
        assert damaged.corrupt


def test_turned_bits_damage_pictures_and_not_the_connection(films: Path) -> None:
    with Simulating(films, *PLAIN, "--fault", "yard:corrupt=60%") as running:
        with read(running.camera.url) as reading:
            seqs = [reading.until(lambda packet: True).id.seq for _ in range(12)]
        assert seqs == list(range(12))
        sent = set(_units(running.camera.url, 12))
        kept = set(_units_of_file(Path(running.camera.truth.replace(".truth.json", ".mp4"))))
        assert sent - kept


def test_another_codec_comes_by_a_new_session(films: Path) -> None:
    with Simulating(films, *PLAIN, "--fault", "yard:codec=mjpeg@2s") as running:
        with read(running.camera.url) as reading:
            assert reading.session.info(reading.until(lambda packet: packet.keyframe).info_id).codec == "h264"
            assert reading.wait_fault() in (SourceFault.ENDED, SourceFault.IO_ERROR)
        name, pictures = viewed(running.camera.url)
        assert name == "mjpeg"
        assert None not in numbers(pictures)


def test_another_size_comes_in_the_same_session_and_time_goes_on(films: Path) -> None:
    with Simulating(films, *PLAIN, "--fault", "yard:size=320x240@2s") as running:
        with opened(running.camera.url) as container:
            sizes, times = [], []
            for picture in container.decode(video=0):
                sizes.append((picture.width, picture.height))
                times.append(picture.pts)
                if sizes.count((320, 240)) == 5:
                    break
        assert sizes[0] == (512, 288)
        assert sorted(sizes, reverse=True) == sizes
        # FFmpeg's parser loses the time of a connection's first picture.
        known = [at for at in times if at is not None]
        assert len(known) >= len(times) - 1
        assert known == sorted(known)


def _units(url: str, count: int) -> list[bytes]:
    with opened(url) as container:
        return [_slices(bytes(packet)) for packet in itertools.islice(container.demux(video=0), count)]


def _units_of_file(path: Path) -> list[bytes]:
    return [_slices(unit.data) for unit in film_of_file(path).units]


def _slices(data: bytes) -> bytes:
    """The coded slices alone: parameter sets may come or not."""
    pieces = re.split(rb"\x00\x00\x00?\x01", data)
    return b"|".join(piece for piece in pieces if piece and piece[0] & 31 in (1, 5))
