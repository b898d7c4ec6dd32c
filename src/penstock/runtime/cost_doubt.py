"""When a measured cost is too old to refuse work by: what is refused does not run, and would be refused for ever.

Where the plan grants none of a model's lanes anything, its cost is taken for nothing now and then, so that one plan
lets them run and be measured. Each time that this shows the same, the next is twice as long away.
"""

NS_PER_S = 1_000_000_000
FIRST_NS = 10 * NS_PER_S
LONGEST_NS = 300 * NS_PER_S
TRIAL_NS = 5 * NS_PER_S
"""a model that is let run shows within it what a call takes, or is believed to take too long"""


class CostDoubt:
    """One model's. Instants never go back."""

    __slots__ = ("_idle_since_ns", "_trusted_ns")

    def __init__(self) -> None:
        self._trusted_ns = FIRST_NS
        self._idle_since_ns: int | None = None

    def doubts(self, *, runs: bool, measured_ns: int, now_ns: int) -> bool:
        """Whether to let the model run although its cost says otherwise.

        `runs`: the plan grants one of its lanes something; `measured_ns`: when its cost was last measured.
        """
        if runs:
            if self._idle_since_ns is not None and measured_ns > self._idle_since_ns:
                self._idle_since_ns = None
            elif self._idle_since_ns is not None and now_ns - self._idle_since_ns > TRIAL_NS:
                # It was let run, and not one call has ended.
                self._idle_since_ns = now_ns
                return False
            elif self._idle_since_ns is None and now_ns - measured_ns < NS_PER_S:
                # It runs, and not for this only.
                self._trusted_ns = max(FIRST_NS, self._trusted_ns - NS_PER_S)
            return self._idle_since_ns is not None
        if self._idle_since_ns is None:
            self._idle_since_ns = now_ns
            return False
        if now_ns - self._idle_since_ns < self._trusted_ns:
            return False
        self._trusted_ns = min(2 * self._trusted_ns, LONGEST_NS)
        self._idle_since_ns = now_ns
        return True
