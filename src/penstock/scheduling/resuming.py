"""Until when ingest need not tell of a camera's frames: no lane could be due for one.

At high frame rates most frames are due for nobody, and each costs a message and its books. What is held back is told
of as a number with the next frame.
"""

from collections.abc import Iterable

from penstock.scheduling.lane import Lane, LaneState


def resume_ns(lanes: Iterable[Lane], newest_capture_ns: int) -> int:
    """The earliest capture time for which one of the lanes could be due; 0 where one must hear of every frame.

    That is a lane that has not begun, that waits for a model (it is asked for with its newest frame), that is due for
    any frame after the newest, and one of a lossless camera. A lane whose view was asked for is due again one interval
    after the frame that it will get, which is the candidate or a later one.
    """
    earliest_ns: int | None = None
    for lane in lanes:
        if not lane.active or lane.lossless or (not lane.due_ns and lane.state is not LaneState.ASKED):
            return 0
        if lane.state is LaneState.ASKED:
            capture_ns = lane.candidate_capture_ns
            due_ns = lane.due_after(capture_ns) if lane.due_ns else capture_ns + lane.interval_ns
        elif lane.candidate or lane.is_due(newest_capture_ns):
            return 0
        else:
            due_ns = lane.due_ns
        due_ns -= lane.early_ns
        if earliest_ns is None or due_ns < earliest_ns:
            earliest_ns = due_ns
    return earliest_ns or 0
