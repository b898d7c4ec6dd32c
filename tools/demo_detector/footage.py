"""Draws scenes, sends them through H.264 as a camera would, and gives back decoded pictures with their true boxes.

Training and evaluation both take their pictures from here: the network must see what a decoder gives at a low bit
rate, not what was drawn. A take is a pure function of its record, so that the same seeds give the same pictures.
"""

import multiprocessing
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import av
import av.video.codeccontext
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from penstock.contracts.frames import Fit, PixelFormat, ViewSpec
from penstock.ingest.views import ViewMaker
from penstock.simulator.scene import LABELS, SETTINGS, Scene, SceneSpec

LEAST_VISIBLE = 0.3
"""figures of which less is seen are neither to be found nor counted as false"""

FULL_PX = (640, 360)
SUB_PX = (320, 180)


@dataclass(frozen=True, slots=True)
class Take:
    """Pictures of one scene, through one encoder."""

    setting: str
    seed: int
    start: int
    """index of the first picture"""
    step: int
    """pictures of the scene from one encoded picture to the next: 5 is a stream of 5 fps"""
    count: int
    """pictures encoded"""
    keep: int
    """every how many-th of them is given out"""
    drawn_px: tuple[int, int] = FULL_PX
    coded_px: tuple[int, int] = SUB_PX
    bits_per_px: float = 0.08
    preset: str = "veryfast"
    busy: float = 1.0
    timecode: bool = False


@dataclass(frozen=True, slots=True)
class Boxes:
    """True boxes of one picture: float32 N×4 `xyxy` as fractions of the picture, class ids, and who is to be found."""

    xyxy: np.ndarray
    class_id: np.ndarray
    wanted: np.ndarray


def pictures(take: Take) -> Iterator[tuple[av.VideoFrame, Boxes]]:
    """Decoded pictures of `take` with what is truly in them, in order."""
    scene = Scene(
        SceneSpec(
            take.setting,
            take.seed,
            width_px=take.drawn_px[0],
            height_px=take.drawn_px[1],
            timecode=take.timecode,
            busy=take.busy,
        )
    )
    indices = [(take.start + i * take.step) % scene.frames for i in range(take.count)]
    encoder = _encoder(take)
    scaler = VideoReformatter()
    packets = []
    for i, index in enumerate(indices):
        drawn = av.VideoFrame.from_ndarray(scene.render(index), format="rgb24")
        coded = scaler.reformat(drawn, *take.coded_px, "yuv420p", interpolation=Interpolation.BICUBIC)
        coded.pts = i
        coded.time_base = encoder.time_base
        packets += encoder.encode(coded)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    for packet in [*packets, None]:
        for frame in decoder.decode(packet):
            if frame.pts % take.keep == take.keep - 1:
                yield frame, true_boxes(scene, indices[frame.pts])


def true_boxes(scene: Scene, index: int) -> Boxes:
    """What is in picture `index`, in fractions of its size."""
    truth = scene.truth(index)
    size = np.array([scene.spec.width_px, scene.spec.height_px] * 2, np.float32)
    return Boxes(
        np.array([box.xyxy for box in truth], np.float32).reshape(-1, 4) / size,
        np.array([LABELS.index(box.label) for box in truth], np.int64),
        np.array([box.visible >= LEAST_VISIBLE for box in truth], np.bool_),
    )


def training_takes(seeds: range, pictures_each: int) -> list[Take]:
    """One take per seed and setting, each through an encoder of its own: sizes, rates and presets vary by seed."""
    takes = []
    for seed in seeds:
        for setting in SETTINGS:
            chance = random.Random(f"{seed} {setting}")
            keep = chance.choice([1, 1, 2])
            step = chance.choice([5, 7, 11]) if keep == 1 else chance.choice([3, 5, 9])
            drawn_px = SUB_PX if chance.random() < 0.15 else FULL_PX
            takes.append(
                Take(
                    setting,
                    seed,
                    start=chance.randrange(1000),
                    step=step,
                    count=pictures_each * keep,
                    keep=keep,
                    drawn_px=drawn_px,
                    coded_px=SUB_PX if chance.random() < 0.75 else FULL_PX,
                    bits_per_px=0.03 * 8 ** chance.random(),
                    preset=chance.choice(["ultrafast", "veryfast", "fast"]),
                    busy=chance.choice([1.0, 1.0, 1.5, 2.0]),
                    timecode=chance.random() < 0.15 and drawn_px == FULL_PX,
                )
            )
    return takes


def unseen_takes(seeds: range, coded_px: tuple[int, int]) -> list[Take]:
    """Every setting for each seed as the demonstration streams them, drawn at 640×360 and sent at 25 fps.

    Three spells of a second each, of which three pictures are looked at, in the middle and at the end of predictions.
    """
    return [
        Take(
            setting,
            seed,
            start=start + seed % 100,
            step=1,
            count=24,
            keep=8,
            coded_px=coded_px,
            bits_per_px=0.1 if coded_px == SUB_PX else 0.08,
        )
        for seed in seeds
        for setting in SETTINGS
        for start in (100, 430, 760)
    ]


def _encoder(take: Take) -> av.video.codeccontext.VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.video.codeccontext.VideoCodecContext)
    encoder.width, encoder.height = take.coded_px
    encoder.pix_fmt = "yuv420p"
    encoder.framerate = Fraction(25)
    encoder.time_base = Fraction(1, 25)
    encoder.bit_rate = round(take.bits_per_px * take.coded_px[0] * take.coded_px[1] * 25)
    encoder.gop_size = 50
    encoder.max_b_frames = 0
    encoder.thread_count = 1
    encoder.options = {"preset": take.preset, "tune": "zerolatency"}
    return encoder


@dataclass(frozen=True, slots=True)
class Footage:
    """Pictures in the network's scale: uint8 N×180×320×3 RGB, and what is in each."""

    images: np.ndarray
    boxes: list[Boxes]


def wait_drawn(takes: Sequence[Take], jobs: int) -> Footage:
    """Draws, encodes and decodes all `takes` in `jobs` processes; the order is that of `takes`."""
    images: list[np.ndarray] = []
    boxes: list[Boxes] = []
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for number, (some_images, some_boxes) in enumerate(pool.map(_shrunk, takes)):
            images.append(some_images)
            boxes += some_boxes
            if (number + 1) % 50 == 0:
                print(f"drawn {number + 1} of {len(takes)} takes", flush=True)
    return Footage(np.concatenate(images), boxes)


def _shrunk(take: Take) -> tuple[np.ndarray, list[Boxes]]:
    """One take as the engine's view maker scales it, without the letterbox's bars."""
    spec = ViewSpec(*SUB_PX, PixelFormat.RGB24, Fit.STRETCH)
    maker = ViewMaker()
    images: list[np.ndarray] = []
    boxes: list[Boxes] = []
    for frame, truth in pictures(take):
        image = np.empty((SUB_PX[1], SUB_PX[0], 3), np.uint8)
        maker.make(frame, spec, memoryview(image).cast("B"))
        images.append(image)
        boxes.append(truth)
    return np.stack(images), boxes
