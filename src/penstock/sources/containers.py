"""Opens what FFmpeg can read, within a time-out, interruptible, with faults that say what to do.

FFmpeg's lines hold addresses with passwords, so they go nowhere; only where packets can get lost are they listened to
(see `loss_log`).
"""

from typing import NamedTuple

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from penstock.base.clock import NS_PER_S, Clock
from penstock.contracts.sources import SourceError, SourceFault
from penstock.contracts.specs import StreamSpec
from penstock.sources import certificates, faults, media_stream
from penstock.sources.interruption import Interruption


class Opened(NamedTuple):
    """A container and the one stream of it that is read."""

    container: InputContainer
    stream: VideoStream


def tls_options(spec: StreamSpec) -> dict[str, str]:
    """FFmpeg's options for encrypted connections: the certificate is checked where an authority is named."""
    return {"tls_verify": "1", "ca_file": spec.tls_ca} if spec.tls_ca else {}


def wait_open(
    spec: StreamSpec,
    url: str,
    *,
    clock: Clock,
    interruption: Interruption,
    options: dict[str, str],
    container_format: str | None = None,
    address: str = "",
) -> Opened:
    """Opens `address` (or the spec's own) within `open_timeout_ns`, except that a slow name server is waited for.

    `url` is the address as it may be shown. Raises SourceError.
    """
    media_stream.prepare_ffmpeg()
    raw_url = address or spec.url
    began_ns = clock.now_ns()
    certificates.require_readable(spec.tls_ca, url)
    try:
        with interruption.ends_calls():
            if interruption.is_set():
                raise faults.interrupted(url)
            container = av.open(
                raw_url,
                format=container_format,
                options=options,
                timeout=(spec.open_timeout_ns / NS_PER_S, spec.stall_timeout_ns / NS_PER_S),
                metadata_errors="replace",  # a camera's name in another encoding than UTF-8 is no reason to refuse it
            )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if interruption.is_set():
            raise faults.interrupted(url) from None
        raise _explained(error, spec, url, raw_url, clock.now_ns() - began_ns) from None
    try:
        if interruption.is_set():
            raise faults.interrupted(url)
        return Opened(container, media_stream.choose_video(container, url))
    except SourceError:
        container.close()
        raise


def _explained(error: Exception, spec: StreamSpec, url: str, raw_url: str, waited_ns: int) -> SourceError:
    fault = faults.open_fault(error, url, raw_url, waited_ns, spec.open_timeout_ns)
    if spec.tls_ca and fault.fault is SourceFault.IO_ERROR:
        # FFmpeg says "Input/output error" for every certificate that it does not like.
        refused = certificates.problem(raw_url, spec.tls_ca, spec.open_timeout_ns / NS_PER_S)
        if refused:
            return certificates.fault(url, refused, spec.tls_ca)
    return fault
