"""Views over plain arrays, for whatever reads leases: made in one line, and lost when a test says so."""

import threading

import numpy as np
from numpy.typing import NDArray

from penstock.contracts.frames import Affine, Fit, FrameRef, Lease, Location, PixelFormat, Plane, View, ViewSpec
from penstock.contracts.identity import FrameId, Role, StreamKey
from penstock.contracts.times import CaptureTime, TimeBasis
from penstock.contracts.views import LeaseLost


def frame_ref(
    camera: str = "door",
    seq: int = 0,
    capture_ns: int = 0,
    width_px: int = 640,
    height_px: int = 360,
    session: int = 1,
) -> FrameRef:
    """A frame that was captured, received and decoded in the same instant."""
    stream = StreamKey("host", "boot", "run", camera, Role.DETECT, session)
    return FrameRef(
        id=FrameId(stream, seq),
        index=seq + 1,
        capture=CaptureTime(capture_ns, TimeBasis.MEDIA, 0),
        received_ns=capture_ns,
        decoded_ns=capture_ns,
        width_px=width_px,
        height_px=height_px,
    )


class ArrayViews:
    """A ViewReader over arrays that it holds until they are lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[int, NDArray[np.uint8]] = {}
        self._made = 0

    def make(self, frame: FrameRef, pixels: NDArray[np.uint8], spec: ViewSpec, to_source: Affine | None = None) -> View:
        """Leases `pixels`, height×width×channels as `spec` says; by default they cover the whole frame, stretched.

        Rows of `pixels` may be padded: strides are kept.
        """
        height_px, width_px = pixels.shape[:2]
        rows = pixels.base if pixels.base is not None and not pixels.flags.c_contiguous else pixels
        with self._lock:
            slot = self._made
            self._made += 1
            self._slots[slot] = rows
        return View(
            frame=frame,
            spec=spec,
            lease=Lease("arrays", slot, 1),
            location=Location.HEAP,
            device="cpu",
            planes=(Plane(0, pixels.strides[0], width_px, height_px),),
            to_source=to_source or Affine(frame.width_px / width_px, frame.height_px / height_px, 0.0, 0.0),
        )

    def blank(self, frame: FrameRef, width_px: int = 32, height_px: int = 32) -> View:
        """A black BGR view of the whole frame."""
        spec = ViewSpec(width_px, height_px, PixelFormat.BGR24, Fit.STRETCH)
        return self.make(frame, np.zeros((height_px, width_px, 3), np.uint8), spec)

    def lose(self, view: View) -> None:
        """Ends the lease, as when its holder was declared dead."""
        with self._lock:
            self._slots.pop(view.lease.slot, None)

    def pixels(self, view: View) -> memoryview:
        with self._lock:
            held = self._slots.get(view.lease.slot)
        if held is None:
            raise LeaseLost(f"slot {view.lease.slot} of {view.lease.pool} was given up")
        return held.data.toreadonly().cast("B")

    def still_leased(self, view: View) -> bool:
        with self._lock:
            return view.lease.slot in self._slots
