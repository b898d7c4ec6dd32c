"""Decoded frames of a camera, video file or picture, spread over its time, through the sources and views of a run."""

from collections.abc import Iterator
from typing import NamedTuple

import av
import numpy as np
from numpy.typing import NDArray

from penstock.base.clock import NS_PER_S, Clock
from penstock.base.ids import boot_id, host_id, new_run_id, new_session_id
from penstock.contracts.frames import FrameRef, Lease, Location, View, ViewSpec
from penstock.contracts.packets import EncodedPacket, StreamInfo
from penstock.contracts.sources import Source, SourceError, SourceFault
from penstock.contracts.specs import SourceMode, StreamSpec
from penstock.framebus.counters import WORD_BYTES, CounterBlock
from penstock.ingest.books import WORDS, UnitBooks
from penstock.ingest.decoder import Decoder
from penstock.ingest.views import ViewMaker
from penstock.sources.opening import open_source


class SampledFrame(NamedTuple):
    """A picture, and who it is."""

    ref: FrameRef
    picture: av.VideoFrame


def wait_sampled(url: str, wanted: int, clock: Clock, every_ns: int = NS_PER_S) -> Iterator[SampledFrame]:
    """At most `wanted` frames in order of time: evenly over all of a file, every `every_ns` of a live camera.

    A file is read twice: first to count its pictures, then to decode them. Raises SourceError.
    """
    source = _source(url, clock)
    if source.live:
        due_ns = clock.now_ns()
        for frame in _wait_frames(source, clock):
            if frame.ref.received_ns < due_ns:
                continue
            due_ns = frame.ref.received_ns + every_ns
            yield frame
            wanted -= 1
            if not wanted:
                return
        return
    count = sum(1 for _ in _wait_packets(source))
    chosen = {int(place) for place in np.linspace(0, count - 1, min(wanted, count)).round()} if count else set()
    last = max(chosen, default=-1)
    for number, frame in enumerate(_wait_frames(source, clock)):
        if number in chosen:
            yield frame
        if number >= last:
            return


class ViewOf:
    """Makes the views of one model; keeps the scaling contexts."""

    def __init__(self, spec: ViewSpec) -> None:
        self._spec = spec
        self._maker = ViewMaker()

    def __call__(self, frame: SampledFrame) -> tuple[View, NDArray[np.uint8]]:
        """The view, and its pixels: uint8 height×width×channels, or height×width for one channel."""
        spec = self._spec
        slot = bytearray(spec.nbytes)
        plane, to_source, matrix, full_range = self._maker.make(frame.picture, spec, memoryview(slot))
        shape = (spec.height_px, spec.width_px, spec.channels)
        pixels = np.frombuffer(slot, np.uint8).reshape(shape if spec.channels > 1 else shape[:2])
        view = View(
            frame=frame.ref,
            spec=spec,
            lease=Lease("command", 0, 1),
            location=Location.HEAP,
            device="cpu",
            planes=(plane,),
            to_source=to_source,
            matrix=matrix,
            full_range=full_range,
        )
        return view, pixels


def _source(url: str, clock: Clock) -> Source:
    return open_source(
        StreamSpec(camera="sample", url=url, mode=SourceMode.LOSSLESS),
        host_id=host_id(),
        boot_id=boot_id(),
        run_id=new_run_id(clock.utc_ns()),
        clock=clock,
        new_session=lambda: new_session_id(clock.utc_ns()),
    )


def _wait_packets(source: Source) -> Iterator[EncodedPacket]:
    session = source.wait_open()
    try:
        while True:
            try:
                item = session.wait_read()
            except SourceError as error:
                if error.fault is SourceFault.ENDED:
                    return
                raise
            if isinstance(item, EncodedPacket):
                yield item
    finally:
        session.close()


def _wait_frames(source: Source, clock: Clock) -> Iterator[SampledFrame]:
    """Every decodable picture of one session, in order of presentation."""
    session = source.wait_open()
    decoder: Decoder | None = None
    info_id = -1
    index = 0
    try:
        while True:
            try:
                item = session.wait_read()
            except SourceError as error:
                if error.fault is not SourceFault.ENDED:
                    raise
                break
            if not isinstance(item, EncodedPacket):
                continue
            if decoder is None or item.info_id != info_id:
                if decoder is not None:
                    for packet, picture in decoder.flush():
                        index += 1
                        yield _frame(packet, picture, index, clock)
                info_id = item.info_id
                decoder = _decoder(session.info(info_id), source.url)
            for packet, picture in decoder.decode(item):
                index += 1
                yield _frame(packet, picture, index, clock)
        if decoder is not None:
            for packet, picture in decoder.flush():
                index += 1
                yield _frame(packet, picture, index, clock)
    finally:
        if decoder is not None:
            decoder.close()
        session.close()


def _decoder(info: StreamInfo, url: str) -> Decoder:
    try:
        return Decoder(info, UnitBooks(CounterBlock(memoryview(bytearray(WORDS * WORD_BYTES)), WORDS))).open()
    except ValueError as error:
        raise SourceError(SourceFault.UNSUPPORTED, f"{url}: {error}", "Install an FFmpeg that has it") from error


def _frame(packet: EncodedPacket, picture: av.VideoFrame, index: int, clock: Clock) -> SampledFrame:
    ref = FrameRef(
        id=packet.id,
        index=index,
        capture=packet.capture,
        received_ns=packet.received_ns,
        decoded_ns=clock.now_ns(),
        width_px=picture.width,
        height_px=picture.height,
    )
    return SampledFrame(ref, picture)
