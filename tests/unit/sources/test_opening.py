"""Which source a URL gets, and what is said of one that nobody reads."""

import pytest

from penstock.base.clock import SimulatedClock
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import SourceMode, StreamSpec
from penstock.sources.opening import open_source


def opened(url: str, mode: SourceMode, clock: SimulatedClock) -> Source:
    spec = StreamSpec("camera", url, mode=mode)
    return open_source(spec, host_id="h", boot_id="b", run_id="r", clock=clock, new_session=lambda: 1)


KINDS = {
    "rtsp": ("rtsp://a:b@cam/x", SourceMode.LIVE, "RtspSource", "rtsp://***@cam/x", True, False),
    "rtsp is live whatever the mode": (
        "RTSPS://cam/x",
        SourceMode.LOSSLESS,
        "RtspSource",
        "RTSPS://cam/x",
        True,
        False,
    ),
    "live file": ("/v/a.mp4", SourceMode.LIVE, "LiveFileSource", "/v/a.mp4", True, False),
    "lossless file": ("/v/a.mp4", SourceMode.LOSSLESS, "LosslessFileSource", "/v/a.mp4", False, True),
    "file url": ("file:///v/a.mp4", SourceMode.LIVE, "LiveFileSource", "file:///v/a.mp4", True, False),
}


@pytest.mark.parametrize(("url", "mode", "kind", "shown", "live", "lossless"), KINDS.values(), ids=KINDS.keys())
def test_kinds(
    url: str, mode: SourceMode, kind: str, shown: str, live: bool, lossless: bool, clock: SimulatedClock
) -> None:
    source = opened(url, mode, clock)
    assert type(source).__name__ == kind
    assert (source.url, source.live, source.lossless) == (shown, live, lossless)


def test_an_unknown_scheme_is_refused_with_what_is_known(clock: SimulatedClock) -> None:
    with pytest.raises(SourceError) as caught:
        opened("gopher://me:secret@cam/x", SourceMode.LIVE, clock)
    assert caught.value.fault is SourceFault.UNSUPPORTED
    assert str(caught.value) == (
        "gopher://***@cam/x: gopher:// is not a known kind of source. "
        "Known are rtsp://, rtsps://, http://, https://, push://NAME, v4l2:///dev/videoN, "
        "python:package.module:factory, file:// and plain paths of devices and video files"
    )


def test_an_interrupted_source_opens_nothing_more(clock: SimulatedClock) -> None:
    for url in ("rtsp://cam/x", "/v/a.mp4"):
        source = opened(url, SourceMode.LIVE, clock)
        source.interrupt()
        with pytest.raises(SourceError) as caught:
            source.wait_open()
        assert caught.value.fault is SourceFault.INTERRUPTED
