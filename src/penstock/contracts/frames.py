"""Decoded pictures: the reference that travels everywhere, and the leased pixels that do not.

A `FrameRef` says which picture and when. A `View` is a lease on pixels made from it in a size and format that
somebody asked for; where the pixels lie (heap, memfd slot, later CUDA or encoded bytes) is one of its fields, so
that new places need no new record.
"""

import enum

import msgspec

from penstock.contracts.identity import FrameId
from penstock.contracts.times import CaptureTime


class FrameRef(msgspec.Struct, frozen=True, gc=False):
    """Identity and times of a decoded picture, apart from its pixels."""

    id: FrameId
    index: int
    """counts the decoded frames of this camera over its whole run, across sessions and crashes, from 1"""
    capture: CaptureTime
    received_ns: int
    """monotonic: when its access unit was complete"""
    decoded_ns: int
    """monotonic: when the decoder gave it out"""
    width_px: int
    height_px: int


class PixelFormat(enum.StrEnum):
    """Channel order of a view; all are 8 bits per channel, rows top to bottom."""

    BGR24 = "bgr24"
    RGB24 = "rgb24"
    GRAY8 = "gray8"


class Fit(enum.StrEnum):
    """How a source picture is put into a view of another shape."""

    STRETCH = "stretch"
    LETTERBOX_TOP_LEFT = "letterbox_top_left"
    LETTERBOX_CENTRE = "letterbox_centre"
    CENTRE_CROP = "centre_crop"
    """the shorter side is scaled to `ViewSpec.crop_from_px`, then the middle is cut out, as classifiers are trained"""


class ViewSpec(msgspec.Struct, frozen=True, gc=False):
    """What a consumer wants to see; equal specs share one view."""

    width_px: int
    height_px: int
    format: PixelFormat
    fit: Fit = Fit.STRETCH
    pad: int = 114
    """value of all channels where a letterboxed picture does not reach"""
    crop_from_px: int = 0
    """`centre_crop` only: length of the picture's shorter side before the middle is cut out; 0 is the view's own"""

    @property
    def channels(self) -> int:
        return 1 if self.format is PixelFormat.GRAY8 else 3

    @property
    def nbytes(self) -> int:
        return self.width_px * self.height_px * self.channels


class Affine(msgspec.Struct, frozen=True, gc=False):
    """Maps view pixels to source pixels: x' = sx·x + tx, y' = sy·y + ty."""

    sx: float
    sy: float
    tx: float
    ty: float


class Location(enum.StrEnum):
    """Where a view's pixels lie."""

    HEAP = "heap"
    MEMFD = "memfd"
    CUDA = "cuda"
    ENCODED = "encoded"


class Plane(msgspec.Struct, frozen=True, gc=False):
    """One plane of pixels within the slot."""

    offset_bytes: int
    stride_bytes: int
    width_px: int
    height_px: int


class Lease(msgspec.Struct, frozen=True, gc=False):
    """The right to read one slot until it is returned; a lease of another generation reads nothing."""

    pool: str
    slot: int
    generation: int


class View(msgspec.Struct, frozen=True, gc=False):
    """Leased pixels of one frame, in the size and format of `spec`."""

    frame: FrameRef
    spec: ViewSpec
    lease: Lease
    location: Location
    device: str
    """`cpu`, `cuda:0`, …"""
    planes: tuple[Plane, ...]
    to_source: Affine
    matrix: str = "bt601"
    """colour matrix that the pixels were converted with"""
    full_range: bool = False
    """whether the source picture used the full range of luma"""
    made_ns: int = 0
    """monotonic: when the pixels were ready"""
