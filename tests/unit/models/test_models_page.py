"""The page that users read names every head, and its rules can be used."""

import re
from pathlib import Path

import pytest

from penstock.contracts.specs import ModelSpec, RuleSpec
from penstock.models.errors import ModelError
from penstock.models.heads.catalogue import HEADS
from penstock.models.loading import load_model
from penstock.rules.compiler import compile_rule
from penstock.rules.vocabulary import LaneVocabulary, Vocabulary

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
RULES = [line for block in re.findall(r"^```rule\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]
VOCABULARY = Vocabulary(
    lanes=(
        LaneVocabulary("front/all", ("person", "face"), ("motion",), picture_classes=("coffee mug",)),
        LaneVocabulary("front/parts", signals=("anomaly_score", "Anomalous")),
    )
)


def test_every_head_and_its_options_are_named() -> None:
    assert re.findall(r"^\| `([a-z0-9]+)` \| [A-Zae]", PAGE, re.M) == [head.name for head in HEADS]
    for head in HEADS:
        for option in head.options:
            assert f"`{option}" in PAGE, f"{option} of {head.name}"


@pytest.mark.parametrize("text", RULES)
def test_every_rule_can_be_used(text: str) -> None:
    assert compile_rule(RuleSpec("r", text), "front", VOCABULARY).lanes


def test_the_page_has_rules() -> None:
    assert len(RULES) == 5


def test_the_refusal_that_is_shown_is_the_one_given(tmp_path: Path) -> None:
    file = tmp_path / "lamp.py"
    file.write_text(
        "class Lamp:\n" + "#\n" * 9 + "    def __init__(self):\n        raise OSError('x')\n", encoding="utf-8"
    )
    shown = re.search(
        r"`not loaded: model lamp: plugin …: (its constructor raised OSError: )… (\(lamp.py, line 12\))`", PAGE
    )
    assert shown is not None
    with pytest.raises(ModelError, match=re.escape(f"{shown[1]}x {shown[2]}")):
        load_model(ModelSpec("lamp", kind="python", plugin=f"{file}:Lamp"), 1)
