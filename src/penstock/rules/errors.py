"""What is wrong with a rule, where in its text, and what to do about it."""

import difflib
from collections.abc import Iterable


class RuleError(ValueError):
    """A rule that cannot be used. `str()` is the whole message, with a caret under the place.

    `line` and `column` count from 1; `column` counts characters.
    """

    def __init__(self, rule: str, text: str, place: int, what: str, advice: str = "") -> None:
        before = text[:place]
        self.rule = rule
        self.text = text
        self.what = what
        self.advice = advice
        self.line = before.count("\n") + 1
        start = before.rfind("\n") + 1
        self.column = place - start + 1
        shown = text[start:].split("\n", 1)[0].rstrip() or "(nothing)"
        indent = "".join("\t" if char == "\t" else " " for char in text[start:place])
        message = f"rule {rule!r}: line {self.line}, column {self.column}: {what}\n  {shown}\n  {indent}^"
        super().__init__(f"{message}\n{advice}" if advice else message)


def did_you_mean(name: str, known: Iterable[str], what: str) -> str:
    """Advice after an unknown name: the nearest known one, or all there are, or that there is none."""
    names = sorted(set(known))
    if not names:
        return f"There is no {what}."
    folded: dict[str, str] = {}
    for candidate in names:
        folded.setdefault(candidate.casefold(), candidate)
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {folded[near[0]]!r}?"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"Known: {shown}."
