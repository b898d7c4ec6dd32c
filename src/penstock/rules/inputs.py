"""The one ordered log that rules are a function of: whatever can change a decision is one of these records.

Written down in the order in which the engine took them and taken again in that order, they give the same decisions.
All instants are on the clock of the camera's captures: monotonic for live cameras, media time for lossless ones.
"""

import msgspec

from penstock.contracts.messages import CameraState
from penstock.contracts.results import Result
from penstock.contracts.specs import RuleSpec
from penstock.contracts.times import ClockReading
from penstock.rules.decisions import RulesState
from penstock.rules.vocabulary import Vocabulary


class ConfigInput(msgspec.Struct, frozen=True, tag="config"):
    """From here on these rules, on the cameras whose vocabulary is given: the whole configuration, not a change."""

    rules: tuple[RuleSpec, ...]
    cameras: dict[str, Vocabulary]


class ResultInput(msgspec.Struct, frozen=True, tag="result"):
    """A result after tracking. Its signals are known from its frame's capture for `validity_ns`.

    A validity below the lane's interval plus its budget leaves gaps in which the rule is blind.
    """

    camera: str
    lane: str
    result: Result
    validity_ns: int


class StillInput(msgspec.Struct, frozen=True, tag="still"):
    """A frame captured at `at_ns` was gated: what the lane last stated still holds, until `valid_until_ns`."""

    camera: str
    lane: str
    at_ns: int
    valid_until_ns: int


class TickInput(msgspec.Struct, frozen=True, tag="tick"):
    """Time went on: what ran out longer ago than a result may take is decided now."""

    camera: str
    now_ns: int


class CameraStateInput(msgspec.Struct, frozen=True, tag="camera_state"):
    """A camera came, went or began another session; `at_ns` on its capture clock.

    Whatever is not `up` with the same session makes all its signals unknown at once.
    """

    camera: str
    state: CameraState
    session: int
    at_ns: int


class ClockInput(msgspec.Struct, frozen=True, tag="clock"):
    """From here on, events are dated by this reading (of `camera`'s clock; empty means all cameras)."""

    reading: ClockReading
    camera: str = ""


class RestoreInput(msgspec.Struct, frozen=True, tag="restore"):
    """What was open or cooling down when an engine of the same boot ended; follows the first `ConfigInput`."""

    state: RulesState


RuleInput = ResultInput | StillInput | TickInput | CameraStateInput | ConfigInput | ClockInput | RestoreInput
