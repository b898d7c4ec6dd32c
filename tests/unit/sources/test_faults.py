"""What a camera's answer means, and what is told of it."""

import errno

import av.error
import pytest

from penstock.contracts.sources import SourceFault
from penstock.sources.faults import is_without_ranges, no_ranges, open_fault, unknown_host

URL = "rtsp://***@10.0.0.9/cam"
RAW = "rtsp://operator:Tr0ub4dor@10.0.0.9/cam"


@pytest.mark.parametrize(
    ("error", "fault", "told"),
    [
        (av.error.HTTPUnauthorizedError(0, "", ""), SourceFault.UNAUTHORIZED, "refused the user name or password"),
        (av.error.HTTPNotFoundError(0, "", ""), SourceFault.NOT_FOUND, "the camera has no such stream"),
        (av.error.HTTPBadRequestError(0, "", ""), SourceFault.REFUSED, "the camera refused the request (4xx)"),
        (av.error.HTTPOtherClientError(0, "", ""), SourceFault.REFUSED, "allow no further viewer (close others)"),
        (av.error.HTTPServerError(0, "", ""), SourceFault.IO_ERROR, "an error of its own (5xx)"),
        (av.error.FFmpegError(errno.EPROTONOSUPPORT, "", ""), SourceFault.UNSUPPORTED, "does not offer this transport"),
        (av.error.PermissionError(errno.EPERM, "", ""), SourceFault.IO_ERROR, "hung up before the stream began"),
        (av.error.InvalidDataError(0, "", ""), SourceFault.INVALID_DATA, "does not speak RTSP"),
    ],
)
def test_a_camera_that_answers_no_stream(error: Exception, fault: SourceFault, told: str) -> None:
    found = open_fault(error, URL, RAW, 10, 1_000)
    assert found.fault is fault
    assert told in str(found)
    assert str(found).startswith(URL)
    assert "Tr0ub4dor" not in str(found)


def test_a_file_that_may_not_be_read_is_no_camera_that_hung_up() -> None:
    found = open_fault(av.error.PermissionError(errno.EPERM, "", ""), "/video.mp4", "/video.mp4", 10, 1_000)
    assert "permission denied" in found.what


@pytest.mark.parametrize(
    "raw",
    [
        "rtsp://operator:Tr0ub/4dor@10.0.0.9/cam",
        "rtsp://operator:1234/4dor@10.0.0.9/cam",
        "rtsp://operator:Tr0u@b?4dor@10.0.0.9/cam",
        "rtsp://operator:Tr0ub#4dor@10.0.0.9/cam",
    ],
)
def test_a_password_that_cuts_its_address_in_two_is_explained_and_not_shown(raw: str) -> None:
    told = str(unknown_host(URL, raw))
    assert told.startswith(
        f"{URL}: the host in this address cannot be found. In a user name or password write @ as %40"
    )
    assert not {"Tr0u", "1234", "operator", "4dor"} & set(told.replace("/", " ").split())


@pytest.mark.parametrize("mark", ["#", "/", "?"])
def test_a_password_that_begins_with_what_ends_a_host_is_explained(mark: str) -> None:
    raw = f"rtsp://operator:{mark}4dor@10.0.0.9/cam"
    found = open_fault(av.error.OSError(errno.EINVAL, "", ""), URL, raw, 10, 1_000)
    assert found.advice.startswith("In a user name or password write @ as %40")
    assert "4dor" not in str(found)


def test_plain_rtsp_where_tls_is_asked_for() -> None:
    found = open_fault(av.error.OSError(errno.EIO, "", ""), "rtsps://127.0.0.1/x", "rtsps://127.0.0.1/x", 10, 1_000)
    assert found.what == "rtsps://127.0.0.1/x: no encrypted connection could be made"
    assert found.advice.startswith("Does the camera speak TLS on this port?")


@pytest.mark.parametrize(
    ("error", "raw", "is_so"),
    [
        (av.error.OSError(errno.EIO, "", ""), "http://10.0.0.9/a.mp4", True),
        (av.error.OSError(errno.EIO, "", ""), "/srv/a.mp4", False),
        (av.error.InvalidDataError(0, "", ""), "http://10.0.0.9/a.mp4", False),
    ],
)
def test_a_server_without_ranges(error: Exception, raw: str, is_so: bool) -> None:
    assert is_without_ranges(error, raw) is is_so
    assert "-movflags +faststart" in no_ranges(raw).advice


def test_an_at_sign_in_a_path_is_no_password() -> None:
    found = unknown_host("rtsp://cam.invalid/live@1", "rtsp://cam.invalid/live@1")
    assert "the name cam.invalid is unknown" in str(found)


def test_a_port_that_is_no_number_and_files_that_may_not_be_opened() -> None:
    misread = open_fault(av.error.OSError(errno.EINVAL, "", ""), "rtsp://cam:x/y", "rtsp://cam:x/y", 10, 1_000)
    assert "the port after the host is no number" in misread.what
    torn = "rtsp://operator:Tr0ub/4dor@10.0.0.9/cam"
    found = open_fault(av.error.OSError(errno.EINVAL, "", ""), URL, torn, 10, 1_000)
    assert "write @ as %40" in found.advice
    full = open_fault(av.error.OSError(errno.EMFILE, "", ""), URL, RAW, 10, 1_000)
    assert "too many files are open" in full.what
    assert "ulimit -n" in full.advice
