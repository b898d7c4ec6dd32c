"""Whether something moves before a camera, by seed or by script: phases of movement and of stillness that alternate.

Phases last as long as an exponential draw says (a memoryless scene). What is not modelled: a gate that misses slow
movement or takes noise for it, so that movement is known exactly; real gates are analysed more often at night and less
often in fog than the share given here says.
"""

import random
from collections.abc import Iterator, Sequence

Span = tuple[int, int]
"""from and until, ns, the end not included"""

_FOREVER_NS = 1 << 62


def alternating(chance: random.Random, share: float, mean_ns: int) -> Iterator[Span]:
    """Movement in `share` of the time, `mean_ns` at a time on average; begins anywhere within the pattern."""
    if share <= 0.0:
        return
    if share >= 1.0:
        yield (0, _FOREVER_NS)
        return
    still_mean_ns = mean_ns * (1.0 - share) / share
    at_ns = 0
    moving = chance.random() < share
    while True:
        length_ns = 1 + round(chance.expovariate(1.0) * (mean_ns if moving else still_mean_ns))
        if moving:
            yield (at_ns, at_ns + length_ns)
        at_ns += length_ns
        moving = not moving


class Movement:
    """Answers in the order of time: asked about an instant, it has forgotten what lies before it.

    `bursts` move besides what `spans` say: spans in ascending order that do not overlap.
    """

    __slots__ = ("_before", "_bursts", "_current", "_last_ns", "_spans")

    def __init__(self, spans: Iterator[Span], bursts: Sequence[Span] = ()) -> None:
        self._spans = spans
        self._current: Span = next(spans, (_FOREVER_NS, _FOREVER_NS))
        self._before: Span = (0, 0)
        self._bursts = tuple(bursts)
        self._last_ns = -1
        """latest instant known at which something moved"""

    def moved_between(self, from_ns: int, until_ns: int) -> bool:
        """Whether anything moved after `from_ns` and not after `until_ns`; `until_ns` never goes back."""
        begin_ns, end_ns = self._current
        while begin_ns <= until_ns:
            if end_ns > until_ns:
                self._last_ns = until_ns
                break
            self._last_ns = end_ns - 1
            self._before = (begin_ns, end_ns)
            begin_ns, end_ns = self._current = next(self._spans, (_FOREVER_NS, _FOREVER_NS))
        if self._last_ns > from_ns:
            return True
        return any(begin_ns <= until_ns and end_ns - 1 > from_ns for begin_ns, end_ns in self._bursts)

    def moves_at(self, at_ns: int) -> bool:
        """Whether something moves at that instant, which is not long before the last one asked about."""
        spans = (self._current, self._before, *self._bursts)
        return any(begin_ns <= at_ns < end_ns for begin_ns, end_ns in spans)
