"""Everything that crosses a socket between processes, as one tagged union.

Small and versioned: a message is one datagram of `WIRE_VERSION` and msgpack (see `framebus.links`). Pixels and
packets never travel here; they lie in shared memory that `Attach` hands over.
"""

import enum

import msgspec

from penstock.contracts.clips import ClipEnd, ClipJob, ClipResult
from penstock.contracts.frames import FrameRef, Lease, View, ViewSpec
from penstock.contracts.specs import DecodePolicy
from penstock.contracts.times import ClockReading
from penstock.contracts.work import Failure, ModelDescription, Outcome, Work

WIRE_VERSION = 2

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels of the source frame"""


class ProcessKind(enum.StrEnum):
    INGEST = "ingest"
    ENGINE = "engine"
    EXECUTOR = "executor"
    RECORDER = "recorder"
    API = "api"


class RegionHandle(msgspec.Struct, frozen=True, gc=False):
    """Names a piece of memory that its owner lends: by descriptor where it is shared, by name within a process."""

    name: str
    size_bytes: int
    shared: bool


# supervisor → child


class Start(msgspec.Struct, frozen=True, tag=True):
    """First message to a child; its specification lies in the region that comes with it."""

    kind: ProcessKind
    name: str
    generation: int
    """counts the starts of this process from 1; the engine's is the lease epoch"""
    spec: RegionHandle
    regions: int
    """how many regions follow before the first peer"""
    clock: ClockReading


class Attach(msgspec.Struct, frozen=True, tag=True):
    """Hands over one end of a link to `peer` (`region` is None), or a region."""

    peer: str = ""
    peer_generation: int = 0
    region: RegionHandle | None = None


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End in order, within `grace_ns`."""

    grace_ns: int


# child → supervisor


class Heartbeat(msgspec.Struct, frozen=True, tag=True):
    at_ns: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The child does its work now."""


class Finished(msgspec.Struct, frozen=True, tag=True):
    """Nothing more will come: every lossless camera was read to its end and every frame has its fate."""


class Unusable(msgspec.Struct, frozen=True, tag=True):
    """The child cannot do its work, and starting it again will not help."""

    reason: str


class ReplaceProcess(msgspec.Struct, frozen=True, tag=True):
    """The engine found a process hung: kill it and start another."""

    name: str
    generation: int
    reason: str


# ingest → engine


class CameraState(enum.StrEnum):
    STARTING = "starting"
    CONNECTING = "connecting"
    UP = "up"
    DOWN = "down"
    """not reachable now; tried again for ever"""
    ENDED = "ended"
    """a lossless source was read to its end"""


class CameraUpdate(msgspec.Struct, frozen=True, tag=True):
    """A camera came, went or moved on to another session."""

    camera: str
    state: CameraState
    session: int
    at_ns: int
    reason: str = ""
    lossless: bool = False
    frame_interval_ns: int = 0


class Notice(msgspec.Struct, frozen=True, tag=True):
    """The newest decoded frame of a camera. A lost notice costs nothing: the next one carries the news."""

    frame: FrameRef
    moved: bool
    """since the notice before: something moved in any frame up to this one"""
    held_back: int = 0
    """frames since the news before that were not told because no lane was due: see `Ask.resume_ns`"""


class ViewReady(msgspec.Struct, frozen=True, tag=True):
    """Pixels leased to whoever asked with `ticket`: of the camera's newest frame, or of the frame asked for."""

    ticket: int
    views: tuple[View, ...]
    """one, or one per region asked for"""
    moved: bool
    held_back: int = 0
    """as in `Notice`"""


class ViewRefused(msgspec.Struct, frozen=True, tag=True):
    ticket: int
    camera: str
    reason: str


class CameraLoad(msgspec.Struct, frozen=True, gc=False):
    """What one camera's detect stream has taken so far: cumulative over its ingest process's life."""

    camera: str
    units: int = 0
    keyframes: int = 0
    disposable: int = 0
    """units that no other refers to"""
    decoded: int = 0
    """units fed to the decoder"""
    decode_ns: int = 0
    """processor time of decoding, gating and reading them"""
    views: int = 0
    view_ns: int = 0
    """processor time of making them"""


class ModelLoad(msgspec.Struct, frozen=True, gc=False):
    """What one model has taken of its executor so far: cumulative over the executor's life."""

    model: str
    views: int = 0
    busy_ns: int = 0
    """time in calls, summed over streams"""


class Load(msgspec.Struct, frozen=True, tag=True):
    """What a process has used so far, told to the engine once a second for its capacity plan; from ingest and
    executors. Cumulative over the process's life."""

    at_ns: int
    cpu_ns: int
    """user and system time of the process"""
    models: tuple[ModelLoad, ...] = ()
    """executors only"""
    resident_bytes: int = 0
    cameras: tuple[CameraLoad, ...] = ()


# engine → ingest


class Ask(msgspec.Struct, frozen=True, tag=True):
    """A model is about to be free: make a view of the newest frame with an index above `after_index`."""

    ticket: int
    camera: str
    spec: ViewSpec
    after_index: int
    deadline_ns: int
    frame_index: int = 0
    """0 for the newest frame; otherwise this very one, where ingest still has it"""
    regions: tuple[Box, ...] = ()
    """parts of the picture, one view each; none for the whole picture in one"""
    resume_ns: int = 0
    """no lane of the camera is due for a frame captured before this: ingest need not tell of one"""
    keep: bool = False
    """parts of this frame may be asked for later: another lane looks at what this one finds"""


class HeldLeases(msgspec.Struct, frozen=True, tag=True):
    """First message on a new link: what the engine still holds; everything else is free again."""

    leases: tuple[Lease, ...]


class SetDecode(msgspec.Struct, frozen=True, tag=True):
    """How a camera's detect stream is to be decoded from now on; told again to every new ingest process, and when one
    of its lanes is to run more often: what was said of `Ask.resume_ns` holds no longer."""

    camera: str
    policy: DecodePolicy


class FrameDone(msgspec.Struct, frozen=True, tag=True):
    """Lossless cameras only: every lane has what it wanted of frame `index`; decode on."""

    camera: str
    index: int


# engine ↔ executor


class Submit(msgspec.Struct, frozen=True, tag=True):
    work: Work


class Cancel(msgspec.Struct, frozen=True, tag=True):
    work_id: int


class ModelReady(msgspec.Struct, frozen=True, tag=True):
    description: ModelDescription
    credits: int


class ModelUnavailable(msgspec.Struct, frozen=True, tag=True):
    model: str
    failure: Failure


class Completed(msgspec.Struct, frozen=True, tag=True):
    outcome: Outcome


# engine ↔ recorder


class OpenClip(msgspec.Struct, frozen=True, tag=True):
    job: ClipJob


class EndClip(msgspec.Struct, frozen=True, tag=True):
    end: ClipEnd


class FinishClips(msgspec.Struct, frozen=True, tag=True):
    """The run ends: every clip is finished with the packets that are there now, and reported."""


class ClipReport(msgspec.Struct, frozen=True, tag=True):
    result: ClipResult


Message = (
    Start
    | Attach
    | Stop
    | Heartbeat
    | Ready
    | Finished
    | Unusable
    | ReplaceProcess
    | CameraUpdate
    | Notice
    | ViewReady
    | ViewRefused
    | Load
    | Ask
    | SetDecode
    | HeldLeases
    | FrameDone
    | Submit
    | Cancel
    | ModelReady
    | ModelUnavailable
    | Completed
    | OpenClip
    | EndClip
    | FinishClips
    | ClipReport
)
