"""No tracking: results pass as they are, so that callers need no condition."""

from penstock.contracts.results import Result


class TrackingOff:
    """A `contracts.tracking.Tracker` that follows nothing."""

    def update(self, lane: str, result: Result) -> Result:  # noqa: ARG002 (the shape of every tracker)
        """`result` unchanged: boxes keep whatever id the model gave them."""
        return result
