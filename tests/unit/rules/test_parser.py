"""Text to tree and back, and every syntax error with its exact message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.rules.errors import RuleError
from penstock.rules.parser import parse
from penstock.rules.syntax import (
    And,
    Comparison,
    Condition,
    Count,
    For,
    Name,
    Not,
    Number,
    Or,
    SignalName,
    Value,
    all_of,
    any_of,
    text_of,
    window_ns_of,
)

A, B, C = (SignalName(Name(name)) for name in "abc")
S = 10**9

TREES: dict[str, tuple[str, Condition]] = {
    "count with for": (
        "count(person) >= 2 for 1s",
        For(Comparison(Count((Name("person"),)), ">=", Number(2)), S),
    ),
    "several classes in a quoted zone": (
        "count(person or 'sports ball' in \"front door\") > 0",
        Comparison(Count((Name("person"), Name("sports ball")), Name("front door")), ">", Number(0)),
    ),
    "signal against number": ("motion > .02", Comparison(SignalName(Name("motion")), ">", Number(0.02))),
    "number first": ("-1e-3 < motion", Comparison(Number(-0.001), "<", SignalName(Name("motion")))),
    "not is tighter than for": ("not a for 5s", For(Not(A), 5 * S)),
    "not of for": ("not (a for 5s)", Not(For(A, 5 * S))),
    "for is tighter than and": ("a and b for 2s", And((A, For(B, 2 * S)))),
    "and is tighter than or": ("a or b and c", Or((A, And((B, C))))),
    "parentheses": ("(a or b) and c", And((Or((A, B)), C))),
    "chains are one": ("a and (b and c)", And((A, B, C))),
    "for of for": ("(a for 1m30s) for 250ms", For(For(A, 90 * S), S // 4)),
    "double not": ("not not a", Not(Not(A))),
    "keywords inside names": ("android and notable or fort", Or((And((_ := SignalName(Name("android")), SignalName(Name("notable")))), SignalName(Name("fort"))))),  # noqa: E501
    "names with hyphens and letters of any alphabet": (
        "front-yard and höhe_2",
        And((SignalName(Name("front-yard")), SignalName(Name("höhe_2")))),
    ),
    "over several lines": ("a\n  and\n\tb", And((A, B))),
}  # fmt: skip


@pytest.mark.parametrize(("text", "tree"), TREES.values(), ids=TREES.keys())
def test_trees(text: str, tree: Condition) -> None:
    assert parse(text) == tree


NORMAL = [
    ("count( person )>=2   for 1000ms", "count(person) >= 2 for 1s"),
    ("((a)) and ((b or c))", "a and (b or c)"),
    ("not (not a)", "not not a"),
    ("(not a) for 90m", "not a for 90m"),
    ("('a b') for 0.5ms", '"a b" for 500us'),
    ("motion > 2.0", "motion > 2"),
    ("\"and\" or 'within' or 'say \"hi\"'", '"and" or "within" or \'say "hi"\''),
]


@pytest.mark.parametrize(("text", "normal"), NORMAL)
def test_normal_text(text: str, normal: str) -> None:
    assert text_of(parse(text)) == normal
    assert text_of(parse(normal)) == normal


def test_windows_inside_windows_add_up() -> None:
    assert window_ns_of(parse("(a for 2s) for 1s or not (b for 10s) and c")) == 10 * S
    assert window_ns_of(parse("(a for 2s) for 9s or not (b for 10s) and c")) == 11 * S
    assert window_ns_of(parse("a")) == 0


names = st.one_of(
    st.sampled_from(["person", "motion", "and", "count", "since", "front door", "-x", "it's", 'a"b', "é-1"]),
    st.text(st.characters(categories=["L", "N", "Zs", "Pd", "Sm"]), min_size=1, max_size=6),
).map(Name)
values: st.SearchStrategy[Value] = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(Number),
    st.integers(-(10**6), 10**6).map(Number),
    st.builds(Count, st.lists(names, min_size=1, max_size=3).map(tuple), st.none() | names),
    st.builds(SignalName, names),
)
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Comparison, values, st.sampled_from([">=", "<=", "==", "!=", ">", "<"]), values),
    st.builds(SignalName, names),
)
durations = st.one_of(st.integers(1, 10**6), st.integers(1, 10**5).map(lambda ms: ms * 10**6))
trees: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(For, inner, durations),
        st.lists(inner, min_size=2, max_size=3).map(all_of),
        st.lists(inner, min_size=2, max_size=3).map(any_of),
    ),
    max_leaves=8,
)


@given(trees)
def test_the_text_of_a_tree_parses_to_that_tree(tree: Condition) -> None:
    assert parse(text_of(tree)) == tree


AFTER_A_SIGNAL = "a comparison such as >=, and, or, for or the end of the rule"

ERRORS = {
    "count alone": (
        "count(person)",
        """\
rule 'r': line 1, column 14: the rule ends here; expected a comparison such as >=
  count(person)
               ^
A number alone is no condition: compare it, as in count(person) >= 1.""",
    ),
    "single equals sign": (
        "count(person) = 1",
        """\
rule 'r': line 1, column 15: '=' does not belong to the rule language
  count(person) = 1
                ^
Write == to ask whether two values are equal.""",
    ),
    "at least, the wrong way round": (
        "count(person) => 2",
        """\
rule 'r': line 1, column 15: '=' does not belong to the rule language
  count(person) => 2
                ^
Write >= for at least.""",
    ),
    "at most, the wrong way round": (
        "MotionLevel =< 0.5",
        """\
rule 'r': line 1, column 13: '=' does not belong to the rule language
  MotionLevel =< 0.5
              ^
Write <= for at most.""",
    ),
    "nothing to compare with": (
        "count(person) >= ",
        """\
rule 'r': line 1, column 17: the rule ends here; expected a number, a count or a signal
  count(person) >=
                  ^""",
    ),
    "no zone after in": (
        "count(person in) >= 1",
        """\
rule 'r': line 1, column 16: ')' does not fit here; expected a name
  count(person in) >= 1
                 ^""",
    ),
    "keyword in capitals": (
        "a AND b",
        f"""\
rule 'r': line 1, column 3: 'AND' does not fit here; expected {AFTER_A_SIGNAL}
  a AND b
    ^
Keywords are lowercase: write `and`.""",
    ),
    "keyword in capitals before the place": (
        "Not a",
        f"""\
rule 'r': line 1, column 5: 'a' does not fit here; expected {AFTER_A_SIGNAL}
  Not a
      ^
Keywords are lowercase: write `not`.""",
    ),
    "keyword as a class": (
        "count(for) > 1",
        """\
rule 'r': line 1, column 7: 'for' does not fit here; expected a name
  count(for) > 1
        ^
If it is a name, write it in quotes: "for".""",
    ),
    "reserved word": (
        "a and within",
        """\
rule 'r': line 1, column 7: the word `within` is reserved
  a and within
        ^
If it is a name, write it in quotes: "within".""",
    ),
    "two conditions in a row": (
        "a and and b",
        """\
rule 'r': line 1, column 7: 'and' does not fit here; expected a condition such as count(person) >= 1
  a and and b
        ^""",
    ),
    "duration without unit": (
        "a for 10",
        """\
rule 'r': line 1, column 7: '10' does not fit here; expected a duration such as 1s or 500ms
  a for 10
        ^""",
    ),
    "unknown unit": (
        "a for 10seconds",
        """\
rule 'r': line 1, column 7: '10seconds' is neither a number nor a duration
  a for 10seconds
        ^
Units of durations are ns, us, ms, s, m, h and d, as in 1m30s.""",
    ),
    "duration of nothing": (
        "a for 0s",
        """\
rule 'r': line 1, column 7: a duration must be above zero
  a for 0s
        ^
Give a duration such as 1s, or leave `for` out.""",
    ),
    "parenthesis not closed": (
        "(a or b",
        """\
rule 'r': line 1, column 8: the rule ends here; expected )
  (a or b
         ^
A parenthesis is not closed.""",
    ),
    "parenthesis not opened": (
        "a)",
        """\
rule 'r': line 1, column 2: ')' does not fit here; expected the end of the rule
  a)
   ^
No parenthesis is open here.""",
    ),
    "operators of other languages": (
        "a && b",
        """\
rule 'r': line 1, column 3: '&' does not belong to the rule language
  a && b
    ^
Write `and`.""",
    ),
    "quote not closed": (
        'count("sports ball) > 1',
        """\
rule 'r': line 1, column 7: '"' does not belong to the rule language
  count("sports ball) > 1
        ^
A quote is opened here and not closed, or there is nothing in it.""",
    ),
    "chained comparison": (
        "1 < x < 3",
        """\
rule 'r': line 1, column 7: '<' does not fit here; expected and, or, for or the end of the rule
  1 < x < 3
        ^""",
    ),
    "on the second line, behind a tab": (
        "a and\n\tb or ? or c",
        """\
rule 'r': line 2, column 7: '?' does not belong to the rule language
  \tb or ? or c
  \t     ^""",
    ),
    "too large a number": (
        "a > 1e999",
        """\
rule 'r': line 1, column 5: the number is too large
  a > 1e999
      ^""",
    ),
    "empty": (
        "  ",
        """\
rule 'r': line 1, column 1: the condition is empty
  (nothing)
  ^
Write one such as count(person) >= 1 for 1s.""",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_syntax_errors(text: str, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse(text, "r")
    assert str(caught.value) == message


@given(
    st.text(max_size=20)
    | st.lists(
        st.sampled_from(["a", "and", "not", "for", "1s", "(", ")", "count", ">=", "2", "in", '"']), max_size=10
    ).map(" ".join)
)
def test_any_text_parses_or_is_explained(text: str) -> None:
    try:
        tree = parse(text)
    except RuleError as error:
        lines = text.split("\n")
        placed = 1 <= error.line <= len(lines) and 1 <= error.column <= len(lines[error.line - 1]) + 1
    else:
        placed = parse(text_of(tree)) == tree
    assert placed
