"""Which name a class has, and which classes are meant by names."""

import re

import pytest

from penstock.models.class_names import COCO, class_ids, imagenet, names_for
from penstock.models.errors import ModelError


def test_coco_has_eighty_names_in_their_order() -> None:
    assert len(COCO) == len(set(COCO)) == 80
    assert (COCO[0], COCO[2], COCO[9], COCO[32], COCO[79]) == (
        "person",
        "car",
        "traffic light",
        "sports ball",
        "toothbrush",
    )
    assert not [name for name in COCO if name != name.strip() or "\n" in name]


@pytest.mark.parametrize(
    ("count", "configured", "stated", "names"),
    [
        pytest.param(2, ("a", "b"), ("c", "d"), ("a", "b"), id="configured first"),
        pytest.param(2, (), ("c", "d"), ("c", "d"), id="then the file's"),
        pytest.param(80, (), (), COCO, id="then COCO's"),
        pytest.param(3, (), (), ("0", "1", "2"), id="then numbers"),
    ],
)
def test_names_by_precedence(
    count: int, configured: tuple[str, ...], stated: tuple[str, ...], names: tuple[str, ...]
) -> None:
    assert names_for(count, configured, stated) == names


def test_a_list_of_another_length_is_an_error() -> None:
    with pytest.raises(ModelError, match="class_names lists 1 names, and the network has 2 classes"):
        names_for(2, ("a",), ())


def test_classes_by_name() -> None:
    assert class_ids(("car", "person"), COCO) == (2, 0)
    assert class_ids((), COCO) == ()
    assert class_ids(("x",), ("x", "y", "x")) == (0, 2)


@pytest.mark.parametrize(
    ("label", "advice"),
    [
        ("persn", "labels names 'persn', which is no class of this model. Did you mean 'person'?"),
        ("sports_ball", "Did you mean 'sports ball'?"),
        ("qqq", "Its classes: person, bicycle, "),
        ("qqq", "cow, … (80 in all)"),
    ],
)
def test_an_unknown_label_is_answered_with_a_suggestion(label: str, advice: str) -> None:
    with pytest.raises(ModelError, match=re.escape(advice)):
        class_ids((label,), COCO)


def test_a_thousand_classes_are_those_of_imagenet() -> None:
    names = names_for(1000, (), ())
    assert names == imagenet()
    assert len(names) == 1000
    # Ids that papers and documentation quote.
    known = {0: "tench", 207: "golden retriever", 281: "tabby", 436: "beach wagon", 504: "coffee mug"}
    known |= {817: "sports car", 898: "water bottle", 920: "traffic light", 999: "toilet tissue"}
    assert {i: names[i] for i in known} == known
    assert all(name == name.strip() and name for name in names)


def test_classes_that_nobody_counts_must_be_named() -> None:
    assert names_for(None, ("ant", "bee"), ()) == ("ant", "bee")
    assert names_for(None, (), ("ant",)) == ("ant",)
    with pytest.raises(ModelError, match=r"names no classes.*Give the model's class_names"):
        names_for(None, (), ())
