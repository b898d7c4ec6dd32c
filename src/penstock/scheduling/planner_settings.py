"""The few numbers that the capacity plan is computed and held with."""

import msgspec

NS_PER_S = 1_000_000_000


class PlannerSettings(msgspec.Struct, frozen=True):
    """Ratios are parts of what they belong to: 0.05 is 5 %."""

    headroom: float = 0.9
    """part of the device and processor time that is planned with; the rest takes bursts and wrong estimates"""
    shadow_reserve: float = 0.1
    """part of it that shadow lanes leave free, so that a real lane that gets busier finds room"""
    least_fps: float = 0.01
    """a rate below it is none at all"""
    cost_band: float = 0.12
    """a measured value is believed until a new one differs by more. Two measurements that are each 5 % wrong differ by
    10.5 %: they change nothing"""
    down_band: float = 0.05
    """a grant falls, at once, when the computed one is lower by more"""
    up_band: float = 0.08
    """a grant rises when the computed one has been higher by more for the time of `hold_ns`"""
    hold_ns: int = 2 * NS_PER_S
    room_band: float = 0.05
    """what was paused or decoded less comes back only when this part of the resource would still be free"""
