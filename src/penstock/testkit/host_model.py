"""What a simulated host consists of: cameras, models, executors, rules, and what everything costs. Plain records.

Costs are those of one thing alone on an idle host; what they come to together is simulated.
"""

import msgspec

from penstock.contracts.specs import DecodePolicy, LaneSpec, RuleSpec
from penstock.testkit.movement import Span
from penstock.testkit.simulated_models import SimulatedModel

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class CameraModel(msgspec.Struct, frozen=True):
    """One camera: what it sends, what decoding costs, when something moves before it, and when it is away.

    Not modelled: pictures of different sizes and costs (a keyframe costs as much as any other), B-frames that come out
    of order, loss on the way, clocks that drift: capture times are exact, live ones are estimates.
    """

    name: str
    fps: float = 25.0
    """pictures per second, decoded or not"""
    jitter_ns: int = 2 * NS_PER_MS
    """captures are up to this far from even spacing, either way; less than half a picture's time"""
    phase_ns: int | None = None
    """capture of its first picture; None draws it by seed from the host's `start_spread_ns`"""
    latency_ns: int = 20 * NS_PER_MS
    """median from capture to decoded: the camera's encoder, the network, the decoder"""
    latency_sigma: float = 0.2
    """of the latency's logarithm; a network's real tail is longer and comes in bursts"""
    unit_ns: int = 1_500_000
    """processor time of decoding one picture"""
    keyframe_every: int = 50
    disposable: float = 0.0
    """part of the pictures that no other refers to"""
    decode: DecodePolicy = DecodePolicy.ALL
    moving: float = 1.0
    """part of the time in which something moves"""
    moving_ns: int = 20 * NS_PER_S
    """mean length of a movement"""
    script: tuple[Span, ...] | None = None
    """movement in these spans and at no other time, in place of `moving`"""
    bursts: tuple[Span, ...] = ()
    """movement besides"""
    outages: tuple[Span, ...] = ()
    """from the first instant to the second it sends nothing; in order"""
    stall_timeout_ns: int = 3 * NS_PER_S
    """silence after which it is declared down; what returns later is another session"""
    quiet_ns: int = 5 * NS_PER_S
    """a still camera is analysed this often all the same"""
    ingest: int = 0
    """which ingest process reads it: views of one process are made one after another"""


class ExecutorModel(msgspec.Struct, frozen=True):
    """One executor process."""

    name: str
    models: tuple[SimulatedModel, ...]
    streams: int = 1
    hang_timeout_ns: int = 10 * NS_PER_S
    restart_ns: int = 2 * NS_PER_S
    """from giving up a hung executor to its models being ready again"""


class Hops(msgspec.Struct, frozen=True):
    """Recorded times of messages, and of making views, each taken in order and again from the first at the end."""

    ask_ns: tuple[int, ...]
    """from the engine's ask to ingest beginning with the view"""
    view_ns: tuple[int, ...]
    """from the pixels to the engine's submission"""
    submit_ns: tuple[int, ...]
    """from there to the executor"""
    result_ns: tuple[int, ...]
    """from the model's end to the engine"""
    making_ns: tuple[int, ...]
    """of one view"""


class HostModel(msgspec.Struct, frozen=True):
    """One host and what it is told to do."""

    cameras: tuple[CameraModel, ...]
    lanes: tuple[LaneSpec, ...]
    executors: tuple[ExecutorModel, ...]
    rules: tuple[RuleSpec, ...] = ()
    cores: float = 4.0
    fixed: float = 0.05
    """cores that are taken whatever is analysed"""
    contention: float = 0.05
    """how much longer a call takes for each other that runs beside it, cores apart"""
    view_ns: int = 1_500_000
    """processor time of one view; its median time from ask to pixels is that and two hops"""
    view_sigma: float = 0.3
    hop_ns: int = 150_000
    """one message from process to process"""
    hops: Hops | None = None
    """in place of `hop_ns` and `view_ns`: as a run recorded them"""
    control_ns: int = 150_000
    """processor time of one analysis outside model and view"""
    start_spread_ns: int = NS_PER_S
    """cameras send their first picture within so long; where they all start at once, lanes of low rates are due at once
    for ever"""
    planned: bool = True
    """a capacity plan once a second; without it every lane is granted what it asks for"""
