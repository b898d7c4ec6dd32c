"""Names of classes: COCO's and ImageNet's for networks that bring none, and the choice of classes by name.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014, 80 classes; Russakovsky et al., "ImageNet Large
Scale Visual Recognition Challenge", IJCV 2015, 1000 classes; names and order as networks trained on them use them.
"""

import difflib
import functools
from collections.abc import Sequence
from importlib import resources

from penstock.models.errors import load_error

COCO = tuple(
    """
    person|bicycle|car|motorcycle|airplane|bus|train|truck|boat|traffic light|fire hydrant|stop sign|parking meter
    bench|bird|cat|dog|horse|sheep|cow|elephant|bear|zebra|giraffe|backpack|umbrella|handbag|tie|suitcase|frisbee
    skis|snowboard|sports ball|kite|baseball bat|baseball glove|skateboard|surfboard|tennis racket|bottle|wine glass
    cup|fork|knife|spoon|bowl|banana|apple|sandwich|orange|broccoli|carrot|hot dog|pizza|donut|cake|chair|couch
    potted plant|bed|dining table|toilet|tv|laptop|mouse|remote|keyboard|cell phone|microwave|oven|toaster|sink
    refrigerator|book|clock|vase|scissors|teddy bear|hair drier|toothbrush
    """.strip()
    .replace("\n    ", "|")
    .split("|")
)


IMAGENET_CLASSES = 1000


@functools.cache
def imagenet() -> tuple[str, ...]:
    """The 1000 classes of ImageNet by id: the first word or words of each WordNet synset; a few names occur twice."""
    text = resources.files("penstock.models").joinpath("imagenet_names.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


def names_for(class_count: int | None, configured: Sequence[str], stated: Sequence[str]) -> tuple[str, ...]:
    """Names by class id: those configured, else those the file states, else COCO's for 80 classes and ImageNet's for
    1000, else numbers.

    Raises ModelError where the configuration names another number of classes than the network has, and where the
    network does not tell how many it has (None) and nobody names them.
    """
    if configured:
        if class_count is not None and len(configured) != class_count:
            raise load_error(
                f"class_names lists {len(configured)} names, and the network has {class_count} classes",
                "List one name per class, in the network's order",
            )
        return tuple(configured)
    if stated:
        return tuple(stated)
    if class_count is None:
        raise load_error(
            "the file names no classes, and its outputs do not tell how many there are",
            "Give the model's class_names, in the network's order",
        )
    if class_count == IMAGENET_CLASSES:
        return imagenet()
    return COCO if class_count == len(COCO) else tuple(str(i) for i in range(class_count))


def class_ids(labels: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    """Ids of the classes called `labels`; raises ModelError that suggests the nearest name."""
    chosen: list[int] = []
    for label in labels:
        matching = [i for i, name in enumerate(names) if name == label]
        if not matching:
            near = difflib.get_close_matches(label, names, n=1)
            advice = f"Did you mean {near[0]!r}?" if near else f"Its classes: {_listed(names)}"
            raise load_error(f"labels names {label!r}, which is no class of this model", advice)
        chosen.extend(matching)
    return tuple(chosen)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return f"{shown}, … ({len(names)} in all)" if len(names) > 20 else shown
