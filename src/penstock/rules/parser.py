"""Rule text to syntax tree; what does not parse is explained in plain words at its place."""

import functools
import math
import re
from importlib import resources

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from penstock.base.units import parse_duration_ns
from penstock.rules.errors import RuleError
from penstock.rules.syntax import (
    KEYWORDS,
    RESERVED,
    Comparison,
    Condition,
    Count,
    For,
    Name,
    Not,
    Number,
    SignalName,
    Value,
    all_of,
    any_of,
)

_CONDITION_STARTS = frozenset({"NOT", "LPAR", "COUNT", "NUMBER", "NAME", "QUOTED"})
_VALUE_STARTS = frozenset({"COUNT", "NUMBER", "NAME", "QUOTED"})
_NAMES = frozenset({"NAME", "QUOTED"})
_NUMBER_LIKE = re.compile(r"-?\.?\d[\w.]*")
_LAST_WORD = re.compile(r"(\w+)\s*$")
_WORDS = {
    "COMPARE": "a comparison such as >=",
    "DURATION": "a duration such as 1s or 500ms",
    "LPAR": "(",
    "IN": "in",
    "AND": "and",
    "OR": "or",
    "FOR": "for",
    "RPAR": ")",
    "$END": "the end of the rule",
}
_ADVICE = {
    "=>": "Write >= for at least.",
    "=<": "Write <= for at most.",
    "=": "Write == to ask whether two values are equal.",
    "&": "Write `and`.",
    "|": "Write `or`.",
    "!": "Write `not`.",
    '"': "A quote is opened here and not closed, or there is nothing in it.",
    "'": "A quote is opened here and not closed, or there is nothing in it.",
}


def parse(text: str, rule: str = "rule") -> Condition:
    """The syntax tree of `text`; raises RuleError, in which the rule is called `rule`."""
    if not text.strip():
        raise RuleError(rule, text, 0, "the condition is empty", "Write one such as count(person) >= 1 for 1s.")
    try:
        tree = _lark().parse(text)
    except UnexpectedInput as error:
        raise _explained(error, text, rule) from None
    return _Builder(text, rule).condition(_subtree(tree.children[0]))


@functools.cache
def _lark() -> Lark:
    grammar = resources.files("penstock.rules").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="basic", maybe_placeholders=False)


class _Builder:
    """Walks Lark's tree; knows the text for errors that the grammar cannot see."""

    def __init__(self, text: str, rule: str) -> None:
        self._text = text
        self._rule = rule

    def condition(self, tree: Tree[Token]) -> Condition:
        children = tree.children
        match str(tree.data):
            case "either":
                return any_of([self.condition(_subtree(child)) for child in children])
            case "both":
                return all_of([self.condition(_subtree(child)) for child in children])
            case "lasting":
                return For(self.condition(_subtree(children[0])), self._duration_ns(_token(children[1])))
            case "negation":
                return Not(self.condition(_subtree(children[0])))
            case "group":
                return self.condition(_subtree(children[0]))
            case "signal":
                return SignalName(self._name(children[0]))
            case _:
                left, sign, right = children
                return Comparison(self._value(_subtree(left)), str(_token(sign)), self._value(_subtree(right)))

    def _value(self, tree: Tree[Token]) -> Value:
        match str(tree.data):
            case "number":
                return Number(self._number(_token(tree.children[0])))
            case "signal":
                return SignalName(self._name(tree.children[0]))
            case _:
                names = [child for child in tree.children if _subtree(child).data == "name"]
                zones = [child for child in tree.children if _subtree(child).data == "zone"]
                zone = self._name(_subtree(zones[0]).children[0]) if zones else None
                return Count(tuple(self._name(name) for name in names), zone)

    def _name(self, child: Tree[Token] | Token) -> Name:
        token = _token(_subtree(child).children[0])
        place = token.start_pos or 0
        if token.type == "QUOTED":
            return Name(token[1:-1], place)
        if token in RESERVED:
            advice = f'If it is a name, write it in quotes: "{token}".'
            raise RuleError(self._rule, self._text, place, f"the word `{token}` is reserved", advice)
        return Name(str(token), place)

    def _number(self, token: Token) -> float:
        value = float(token)
        if not math.isfinite(value):
            raise RuleError(self._rule, self._text, token.start_pos or 0, "the number is too large")
        return value

    def _duration_ns(self, token: Token) -> int:
        duration_ns = parse_duration_ns(token)
        if duration_ns == 0:
            advice = "Give a duration such as 1s, or leave `for` out."
            raise RuleError(self._rule, self._text, token.start_pos or 0, "a duration must be above zero", advice)
        return duration_ns


def _subtree(child: Tree[Token] | Token) -> Tree[Token]:
    assert isinstance(child, Tree)
    return child


def _token(child: Tree[Token] | Token) -> Token:
    assert isinstance(child, Token)
    return child


def _explained(error: UnexpectedInput, text: str, rule: str) -> RuleError:
    if isinstance(error, UnexpectedToken):
        token = error.token
        at_end = token.type == "$END"
        place = len(text.rstrip()) if at_end else token.start_pos or 0
        found = "the rule ends here" if at_end else f"{str(token)!r} does not fit here"
        advice = _advice_for("" if at_end else str(token), text[:place], error.accepts)
        return RuleError(rule, text, place, f"{found}; expected {_in_words(error.accepts)}", advice)
    assert isinstance(error, UnexpectedCharacters)
    place = error.pos_in_stream or 0
    number = _NUMBER_LIKE.match(text, place)
    if number:
        what = f"{number.group()!r} is neither a number nor a duration"
        return RuleError(rule, text, place, what, "Units of durations are ns, us, ms, s, m, h and d, as in 1m30s.")
    char = text[place]
    advice = _ADVICE.get(text[place : place + 2]) or _ADVICE.get(char, "")
    return RuleError(rule, text, place, f"{char!r} does not belong to the rule language", advice)


def _advice_for(found: str, before: str, accepts: set[str]) -> str:
    previous = _LAST_WORD.search(before)
    for word in (found, previous.group(1) if previous else ""):
        if word not in KEYWORDS and word.lower() in KEYWORDS:
            return f"Keywords are lowercase: write `{word.lower()}`."
    if found in KEYWORDS and accepts & _NAMES and "NOT" not in accepts:
        return f'If it is a name, write it in quotes: "{found}".'
    if found == "" and "RPAR" in accepts:
        return "A parenthesis is not closed."
    if found == ")" and "$END" in accepts:
        return "No parenthesis is open here."
    if accepts == {"COMPARE"}:
        return "A number alone is no condition: compare it, as in count(person) >= 1."
    return ""


def _in_words(accepts: set[str]) -> str:
    words = []
    if accepts >= _CONDITION_STARTS:
        words.append("a condition such as count(person) >= 1")
        accepts = accepts - _CONDITION_STARTS
    elif accepts >= _VALUE_STARTS:
        words.append("a number, a count or a signal")
        accepts = accepts - _VALUE_STARTS
    elif accepts >= _NAMES:
        words.append("a name")
        accepts = accepts - _NAMES
    words += [word for terminal, word in _WORDS.items() if terminal in accepts]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
