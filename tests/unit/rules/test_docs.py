"""The page that users read is true: its rules compile, its error is the one that is given."""

import re
from pathlib import Path

import pytest

from penstock.contracts.specs import RuleSpec, ZoneSpec
from penstock.rules.compiler import compile_rule
from penstock.rules.errors import RuleError
from penstock.rules.parser import parse
from penstock.rules.syntax import KEYWORDS, RESERVED, text_of
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
VOCABULARY = Vocabulary(
    zones=(ZoneSpec("driveway", SQUARE), ZoneSpec("front door", SQUARE)),
    lanes=(
        LaneVocabulary(
            "front/yolox",
            ("person", "car", "dog", "sports ball"),
            ("motion", "anomaly_score", "Anomalous"),
            picture_classes=("coffee mug",),
        ),
    ),
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


RULES = [line for block in blocks("rule") for line in block.splitlines()] + re.findall(
    r"when: (.+)$", "".join(blocks("yaml")), re.MULTILINE
)


def test_the_page_has_examples() -> None:
    assert len(RULES) >= 13


@pytest.mark.parametrize("text", RULES)
def test_every_example_can_be_used(text: str) -> None:
    assert compile_rule(RuleSpec("r", text), "front", VOCABULARY).lanes == ("front/yolox",)


def test_the_error_shown_is_the_error_given() -> None:
    (shown,) = [block for block in blocks("text") if block.startswith("rule ")]
    text = shown.splitlines()[1].strip()
    with pytest.raises(RuleError) as caught:
        compile_rule(RuleSpec("people", text), "front", VOCABULARY)
    assert str(caught.value) == shown.rstrip("\n")


def test_the_binding_is_as_the_page_says() -> None:
    assert text_of(parse("(not a) for 1s")) == "not a for 1s"
    assert text_of(parse("a and (b for 1s)")) == "a and b for 1s"
    assert text_of(parse("a or (b and c)")) == "a or b and c"
    assert text_of(parse("(a or b) and c")) == "(a or b) and c"


def test_the_page_names_every_word_that_needs_quotes() -> None:
    listed = re.search(r"\(`([a-z ]+)`, and the reserved words `([a-z ]+)`\)", PAGE)
    assert listed is not None
    assert set(listed[1].split()) == KEYWORDS
    assert set(listed[2].split()) == RESERVED
