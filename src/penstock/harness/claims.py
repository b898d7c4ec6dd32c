"""Claims that several scenarios make, each with the number it stands on."""

from penstock.base.clock import NS_PER_MS
from penstock.contracts.fates import Fate
from penstock.harness.comparison import LaneLoss, losses
from penstock.harness.measured import Measured
from penstock.harness.scenario import Claim, Scenario
from penstock.harness.summary import fairness_by_priority, high_priority_share, over_budget_share

OVER_BUDGET = 0.01
EVEN = 0.99
UNTOUCHED = 0.98
OTHERS_LOSE = 0.02
RSS_GROWTH = 0.05


def _balanced(found: Measured, _: Measured | None) -> tuple[str, bool]:
    return ("balanced" if found.balanced else "; ".join(found.unbalanced)[:300]), found.balanced


def _in_time(found: Measured, _: Measured | None) -> tuple[str, bool]:
    share, age = over_budget_share(found.lanes), found.age
    told = f"{share:.2%} of {age.count} results are older, p99 {age.percentile_ns(99) / NS_PER_MS:.0f} ms"
    return told, age.count > 0 and share <= OVER_BUDGET


def _even(found: Measured, _: Measured | None) -> tuple[str, bool]:
    by_priority = fairness_by_priority(found)
    told = ", ".join(f"priority {priority}: {index:.4f}" for priority, index in by_priority.items())
    return told, min(by_priority.values(), default=0.0) >= EVEN


def _high_untouched(found: Measured, _: Measured | None) -> tuple[str, bool]:
    share = high_priority_share(found)
    return f"{share:.2%} of what they asked for", share >= UNTOUCHED


def _rss_flat(found: Measured, _: Measured | None) -> tuple[str, bool]:
    """The last fifth of the run against the second: the first still fills caches and pools."""
    series = found.rss_series_bytes
    fifth = len(series) // 5
    if not fifth:
        return "too short to tell", False
    early, late = _middle(series[fifth : 2 * fifth]), _middle(series[-fifth:])
    growth = late / early - 1
    return f"{early / 2**20:.0f} MiB, then {late / 2**20:.0f} MiB: {growth:+.1%}", growth <= RSS_GROWTH


def _settled(found: Measured, _: Measured | None) -> tuple[str, bool]:
    total = found.plan_changes
    return f"{total} grants changed in {found.seconds:.0f} s", total == 0


def _middle(values: tuple[int, ...]) -> int:
    return sorted(values)[len(values) // 2]


books_balance = Claim("the books balance: every access unit and every offered frame has one fate", _balanced)
within_budget = Claim("at most 1 % of results are older than their budget", _in_time)
evenly = Claim("lanes of one priority get the same part of what they ask for: Jain's index at least 0.99", _even)
high_untouched = Claim("the highest priority gets at least 98 % of what it asked for", _high_untouched)
rss_flat = Claim("resident memory is flat: the last fifth within 5 % of the second", _rss_flat)
plan_settled = Claim("after the warm-up the capacity plan changes nothing under constant load", _settled)


def others_lose_nothing(scenario: Scenario) -> Claim:
    """That lanes without the fault keep their rate, against the same run without the fault."""

    def check(found: Measured, without: Measured | None) -> tuple[str, bool]:
        if without is None:
            return "there was no run without the fault", False
        others = [loss for loss in losses(scenario, found, without) if not loss.faulty]
        if not others:
            return "there are no other lanes", False
        worst = max(others, key=lambda loss: loss.lost_share)
        before = sum(loss.fps_without for loss in others)
        lost = 1 - sum(loss.fps_with for loss in others) / before if before else 0.0
        told = f"together {lost:+.2%}, the worst lane ({worst.lane}) {_told(worst)}"
        return told, lost <= OTHERS_LOSE

    return Claim("all other lanes together lose at most 2 % of their rate", check)


def _told(loss: LaneLoss) -> str:
    return f"{loss.lost_share:+.2%}: {loss.fps_without:.2f} to {loss.fps_with:.2f} a second"


def fails_as_planned(fate: Fate) -> Claim:
    """That the fault came about at all."""

    def check(found: Measured, _: Measured | None) -> tuple[str, bool]:
        count = found.fate(fate)
        return f"{count} frames ended {fate.label}, executors replaced: {found.replaced}", count > 0

    return Claim(f"the fault is seen: frames of its lanes end {fate.label}", check)
