"""What exporters write beside the weights: the task and the class names, as Ultralytics' exporter does."""

import ast
from collections.abc import Mapping

from penstock.models.errors import load_error


def check_task(metadata: Mapping[str, str], task: str, why: str) -> None:
    """Raises ModelError where the metadata names another task than `task`, the only one that `why`."""
    stated = metadata.get("task", task)
    if stated != task:
        raise load_error(f"the metadata says that its task is {stated!r}, and only {task!r} {why}")


def names_from(metadata: Mapping[str, str], class_count: int | None) -> tuple[str, ...]:
    """Names by class id from `{0: 'person', …}` or a list; empty where the metadata names none.

    Raises ModelError where they cannot be read or are not `class_count` (None: however many there are).
    """
    text = metadata.get("names", "")
    if not text:
        return ()
    try:
        names = ast.literal_eval(text)
        pairs = dict(names) if isinstance(names, dict) else dict(enumerate(names))
        listed = tuple(str(pairs[i]) for i in range(len(pairs)))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise load_error(
            f"the metadata's class names cannot be read: {text[:80]!r}", "Give the model's class_names"
        ) from None
    if class_count is not None and len(listed) != class_count:
        raise load_error(
            f"the metadata names {len(listed)} classes, and the output has room for {class_count}",
            "Export it again, so that both are of one network",
        )
    return listed
