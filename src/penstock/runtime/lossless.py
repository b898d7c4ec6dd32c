"""Which cameras are read without loss, as far as their specification says: files that are analysed picture by picture.

Their rates are of media time: they take what the others leave of the host, and no plan of rates is made for them.
"""

from penstock.config.addresses import address_scheme
from penstock.contracts.identity import Role
from penstock.contracts.specs import CameraSpec, RunSpec, SourceMode

_ALWAYS_LIVE = ("rtsp", "rtsps", "push", "v4l2")
"""whatever their mode says"""


def is_lossless(camera: CameraSpec) -> bool:
    """Whether its analysed stream is."""
    stream = camera.stream_with(Role.DETECT)
    return stream is not None and stream.mode is SourceMode.LOSSLESS and address_scheme(stream.url) not in _ALWAYS_LIVE


def lossless_cameras(spec: RunSpec) -> tuple[str, ...]:
    """Their names, in the order of the configuration."""
    return tuple(camera.name for camera in spec.cameras if is_lossless(camera))
