"""RVO's thirteen scenarios by its names, so that results can be laid side by side; and each beside a spinning thread.

The loads are RVO's: a camera of 30 fps unless the name says otherwise, a detector that sleeps and wants to run as
often as it can (10,000 and 1,000 times a second mean: on every frame), a cheap detector of 30 fps, a rule with a
cooldown of 500 ms. What differs is what is under test: there, the detector runs inside the tick; here, it runs in a
process of its own, so that the claim of the blocking scenarios is the opposite one. And the rule's condition must hold
for 200 ms, not 100: a window must hold two results, and 100 ms would need more than a detector of 50 ms can give.
"""

from dataclasses import replace

from penstock.contracts.fates import Fate
from penstock.harness.claims import books_balance, within_budget
from penstock.harness.measured import Measured
from penstock.harness.scenario import CameraGroup, Claim, ModelLoad, Scenario, Spin
from penstock.harness.summary import camera_rates

TICK_P50_NS = 50_000
CAMERA_FPS, CHEAP_FPS = 30.0, 30.0
RULE = "Busy for 200ms"
_ANY_FPS, _OFTEN_FPS = 10_000.0, 1_000.0


def _tick_is_short(found: Measured, _: Measured | None) -> tuple[str, bool]:
    p50_ns, p99_ns = found.plan.percentile_ns(50), found.plan.percentile_ns(99)
    return f"p50 {p50_ns / 1000:.1f} µs, p99 {p99_ns / 1000:.1f} µs", 0 < p50_ns < TICK_P50_NS


def _runs_at(fps: float) -> Claim:
    def check(found: Measured, _: Measured | None) -> tuple[str, bool]:
        rate = sum(lane.analysed_fps for lane in found.lanes) / max(len(found.lanes), 1)
        return f"{rate:.1f} of {fps:g} analyses a second", rate >= 0.95 * fps

    return Claim(f"the lane gets {fps:g} analyses a second, within 5 %", check)


def _camera_at(fps: float) -> Claim:
    def check(found: Measured, _: Measured | None) -> tuple[str, bool]:
        actual_fps, _effective, loss_fps = camera_rates(found)
        return f"{actual_fps:.1f} of {fps:g} frames a second, {loss_fps:.1f} lost", actual_fps >= 0.98 * fps

    return Claim(f"the camera gives {fps:g} frames a second, within 2 %", check)


def _overload_skips(found: Measured, _: Measured | None) -> tuple[str, bool]:
    _actual, _effective, loss_fps = camera_rates(found)
    analysed = found.fate(Fate.ANALYSED)
    return f"{analysed} analysed, {loss_fps:.1f} frames a second passed over", loss_fps > 0 and analysed > 0


def _slow_one_reduced(found: Measured, _: Measured | None) -> tuple[str, bool]:
    fast = sum(lane.analysed_fps for lane in found.lanes if lane.model == "cheap")
    slow = [lane for lane in found.lanes if lane.model == "slow"]
    rate, wanted = sum(lane.analysed_fps for lane in slow), sum(lane.wanted_fps for lane in slow)
    told = f"cheap {fast:.1f} of {CHEAP_FPS:g} a second, slow {rate:.1f} of {wanted:g}"
    return told, fast >= 0.95 * CHEAP_FPS and 0 < rate < wanted


SHORT_TICK = Claim("no model runs in a tick: its median stays below 50 µs", _tick_is_short)
OVERLOADED = Claim("what is too much is passed over, and the rest is analysed", _overload_skips)
USUAL = (SHORT_TICK, books_balance, within_budget)


def _blocking(sleep_ms: float) -> Scenario:
    possible_fps = min(CAMERA_FPS, 1000 / sleep_ms)
    return Scenario(
        name=f"blocking_{sleep_ms:g}ms",
        group="rvo",
        rule=RULE,
        about=f"a detector that takes {sleep_ms:g} ms on every frame of a camera of 30 fps: the tick must not notice",
        cameras=(CameraGroup(fps=CAMERA_FPS),),
        models=(ModelLoad("slow", fps=_ANY_FPS, sleep_ms=sleep_ms),),
        claims=(*USUAL, _runs_at(possible_fps * (0.9 if possible_fps < CAMERA_FPS else 1.0))),
        detector_sleep_ms=sleep_ms,
    )


def _overload(name: str, fps: float, *claims: Claim) -> Scenario:
    return Scenario(
        name=f"overload_{name}",
        group="rvo",
        rule=RULE,
        about=f"a camera of {fps:g} fps against a detector of 5 ms: frames are lost, time is not",
        cameras=(CameraGroup(fps=fps),),
        models=(ModelLoad("slow", fps=_OFTEN_FPS, sleep_ms=5.0),),
        claims=(*USUAL, *claims),
        detector_sleep_ms=5.0,
    )


def _fast_camera(fps: float) -> Scenario:
    return Scenario(
        name=f"fps_{fps:g}",
        group="rvo",
        rule=RULE,
        about=f"a camera of {fps:g} fps and a detector that wants 30 of them: what a frame costs that nobody wants",
        cameras=(CameraGroup(fps=fps),),
        models=(ModelLoad("cheap", fps=CHEAP_FPS),),
        claims=(*USUAL, _camera_at(fps), _runs_at(CHEAP_FPS)),
    )


THIRTEEN = (
    Scenario(
        name="baseline",
        group="rvo",
        rule=RULE,
        about="a camera of 30 fps and no detector: the floor",
        cameras=(CameraGroup(fps=CAMERA_FPS),),
        claims=(SHORT_TICK, books_balance, _camera_at(CAMERA_FPS)),
    ),
    Scenario(
        name="inproc_low",
        group="rvo",
        rule=RULE,
        about="a detector that takes no time, 30 times a second",
        cameras=(CameraGroup(fps=CAMERA_FPS),),
        models=(ModelLoad("cheap", fps=CHEAP_FPS),),
        claims=(*USUAL, _runs_at(CHEAP_FPS)),
    ),
    *(_blocking(sleep_ms) for sleep_ms in (1.0, 3.0, 10.0, 50.0)),
    Scenario(
        name="load_shed",
        group="rvo",
        rule=RULE,
        about="a detector of 50 ms that wants 60 fps beside a cheap one: the cheap one must not notice",
        cameras=(CameraGroup(fps=CAMERA_FPS),),
        models=(ModelLoad("cheap", fps=CHEAP_FPS), ModelLoad("slow", fps=60.0, sleep_ms=50.0)),
        claims=(
            *USUAL,
            Claim("the slow detector runs as often as it can, the cheap one keeps its 30 a second", _slow_one_reduced),
        ),
        detector_sleep_ms=50.0,
    ),
    _overload("threshold", 120.0, _runs_at(120.0)),
    _overload("moderate", 300.0, OVERLOADED),
    _overload("severe", 600.0, OVERLOADED),
    *(_fast_camera(fps) for fps in (1000.0, 2000.0, 5000.0)),
)


def spinning(scenario: Scenario, where: Spin) -> Scenario:
    """The same scenario beside a Python thread that spins."""
    place = "in every model's process" if where is Spin.MODEL else "in the supervising process"
    return replace(
        scenario,
        name=f"{scenario.name}_spin_{where.value}",
        group="spinning",
        about=f"{scenario.about}; beside it a Python thread spins {place}",
        claims=tuple(claim for claim in scenario.claims if claim in (SHORT_TICK, books_balance)),
        spin=where,
    )


SPINNING = tuple(
    spinning(scenario, where)
    for scenario in THIRTEEN
    for where in (Spin.MODEL, Spin.HARNESS)
    if scenario.models or where is Spin.HARNESS
)
