"""The shape of trackers: results in frame order per lane go in, the same with tracker ids come out."""

from typing import Protocol

from penstock.contracts.results import Result


class Tracker(Protocol):
    """Follows objects from picture to picture; keeps its memory per lane. Never waits."""

    def update(self, lane: str, result: Result) -> Result:
        """`result` with `detections.tracker_id` filled in; called once per result, in frame order within `lane`.

        A new session in the result's frame ends all tracks of the lane: no id crosses sessions.
        """
        ...
