"""What a camera's answer means, and what is told of it."""

import errno

import av.error
import pytest

from penstock.contracts.sources import SourceFault
from penstock.sources.faults import open_fault

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
