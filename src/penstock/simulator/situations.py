"""What rules ought to find in a drawn scene, counted from its true boxes picture by picture.

A box counts where its bottom centre lies in the zone. Which boxes are to be counted is not always beyond doubt: one
that is hardly visible, or that stands on the zone's border, may be seen or not. So everything is counted twice,
strictly and generously; where the two would lead to different events, what is found is `borderline`. This knows
nothing of how rules are evaluated, so that the two can be compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.simulator.truth import Polygon, SceneTruth, TrueBox

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Doubt:
    """How far a good observer may be off."""

    margin_s: float = 1.0
    """in when somebody comes or goes, and for how long nobody is seen in between"""
    hardly: float = 0.15
    """visible share below which nobody needs to see a box, nor is believed to"""
    plainly: float = 0.5
    """visible share from which everybody must see it"""
    off_px: float = 4.0
    """in where its bottom centre is, in pixels of the drawn picture"""


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """A condition that held; seconds from the loop's beginning. `end_s` may lie beyond the loop's end."""

    start_s: float
    due_s: float
    """when it had held long enough"""
    end_s: float
    sure_s: float
    """how long it held without a break and beyond doubt"""
    borderline: bool
    why: str = ""
    """what makes it borderline"""


def true_events(
    truth: SceneTruth, zone: str | None, label: str, at_least: int, for_s: float, doubt: Doubt | None = None
) -> list[TrueEvent]:
    """When at least `at_least` figures of `label` were in `zone` (None: anywhere) for at least `for_s`.

    Also what missed that by less than the margin, as borderline. Raises KeyError for a zone that the scene has not.
    """
    doubt = doubt or Doubt()
    seconds = truth.spec.seconds
    ring = None if zone is None else truth.zones[zone]
    nominal = _spans(truth, lambda box: _counts(truth, box, label, ring, doubt.plainly / 2, 0.0), at_least)
    strict = _spans(truth, lambda box: _counts(truth, box, label, ring, doubt.plainly, -doubt.off_px), at_least)
    generous = _spans(truth, lambda box: _counts(truth, box, label, ring, doubt.hardly, doubt.off_px), at_least)
    found = []
    for span in _joined(generous, doubt.margin_s, seconds):
        lasts = span[1] - span[0]
        if lasts < for_s - doubt.margin_s:
            continue
        plain = [part for part in nominal if _within(part, span, seconds)]
        start_s = _shifted(plain[0], span, seconds)[0] if plain else span[0]
        end_s = _shifted(plain[-1], span, seconds)[1] if plain else span[1]
        sure = [part for part in strict if _within(part, span, seconds)]
        why = _doubtful(span, sure, for_s, doubt)
        sure_s = max((end - start for start, end in sure), default=0.0)
        found.append(TrueEvent(start_s, start_s + for_s, end_s, sure_s, bool(why), why))
    return found


def holds(
    truth: SceneTruth, zone: str | None, label: str, at_least: int, doubt: Doubt | None = None
) -> list[tuple[float, float, bool]]:
    """When the condition held: start and end in seconds of the loop, and whether most of that is beyond doubt."""
    doubt = doubt or Doubt()
    found = []
    for event in true_events(truth, zone, label, at_least, 0.0, doubt):
        sure = event.sure_s >= 0.5 * (event.end_s - event.start_s)
        found.append((event.start_s, event.end_s, sure))
    return found


def _doubtful(span: Span, sure: Sequence[Span], for_s: float, doubt: Doubt) -> str:
    if not sure:
        return "it hinges on somebody who is hardly visible or stands on the border"
    longest = max(end_s - start_s for start_s, end_s in sure)
    if longest < for_s + doubt.margin_s and for_s > 0.0:
        if span[1] - span[0] < for_s + doubt.margin_s:
            return "it lasts hardly longer or shorter than asked for"
        return "it is beyond doubt for too short a time"
    if sum(end_s - start_s >= for_s - doubt.margin_s for start_s, end_s in sure) > 1:
        return "it may be seen as more than one"
    return ""


def _counts(truth: SceneTruth, box: TrueBox, label: str, ring: Polygon | None, visible: float, spare_px: float) -> bool:
    if box.label != label or box.visible < visible:
        return False
    if ring is None:
        return True
    left, _, right, bottom = box.xyxy
    width, height = truth.spec.width_px, truth.spec.height_px
    place = ((left + right) / 2, bottom)
    corners = [(x * width, y * height) for x, y in ring]
    inside = _inside(place, corners)
    if spare_px == 0.0:
        return inside
    near = _distance(place, corners) <= abs(spare_px)
    return inside or near if spare_px > 0 else inside and not near


def _inside(place: tuple[float, float], corners: Sequence[tuple[float, float]]) -> bool:
    """Crossing number: a ray to the right leaves a polygon an odd number of times from within."""
    x, y = place
    crossings = 0
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if (y1 <= y < y2 or y2 <= y < y1) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossings += 1
    return crossings % 2 == 1


def _distance(place: tuple[float, float], corners: Sequence[tuple[float, float]]) -> float:
    """To the polygon's border."""
    x, y = place
    nearest = float("inf")
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        length2 = (x2 - x1) ** 2 + (y2 - y1) ** 2
        share = min(max(((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length2, 0.0), 1.0) if length2 else 0.0
        nearest = min(nearest, ((x - x1 - share * (x2 - x1)) ** 2 + (y - y1 - share * (y2 - y1)) ** 2) ** 0.5)
    return nearest


def _spans(truth: SceneTruth, counts: Callable[[TrueBox], bool], at_least: int) -> list[Span]:
    """Runs of pictures with enough boxes, in seconds; one that passes the loop's end goes on beyond it."""
    fps, frames = truth.spec.fps, len(truth.frames)
    enough = [sum(map(counts, boxes)) >= at_least for boxes in truth.frames]
    if all(enough):
        return [(0.0, frames / fps)]
    first = enough.index(False)
    spans: list[Span] = []
    begun: int | None = None
    for index in range(first, first + frames + 1):
        holds_now = enough[index % frames]
        if holds_now and begun is None:
            begun = index
        elif not holds_now and begun is not None:
            spans.append(_in_loop((begun / fps, index / fps), frames / fps))
            begun = None
    return sorted(spans)


def _in_loop(span: Span, seconds: float) -> Span:
    return (span[0] - seconds, span[1] - seconds) if span[0] >= seconds else span


def _joined(spans: Sequence[Span], gap_s: float, seconds: float) -> list[Span]:
    """Runs with no more than `gap_s` between them are one, across the loop's end too."""
    joined: list[Span] = []
    for span in spans:
        if joined and span[0] - joined[-1][1] <= gap_s:
            joined[-1] = (joined[-1][0], span[1])
        else:
            joined.append(span)
    if len(joined) > 1 and joined[0][0] + seconds - joined[-1][1] <= gap_s:
        first = joined.pop(0)
        joined[-1] = (joined[-1][0], first[1] + seconds)
    return joined


def _within(part: Span, span: Span, seconds: float) -> bool:
    start_s, end_s = _shifted(part, span, seconds)
    return span[0] - 1e-9 <= start_s and end_s <= span[1] + 1e-9


def _shifted(part: Span, span: Span, seconds: float) -> Span:
    """`part`, a loop later where that lies nearer to `span`."""
    return (part[0] + seconds, part[1] + seconds) if part[1] <= span[0] + 1e-9 else part
