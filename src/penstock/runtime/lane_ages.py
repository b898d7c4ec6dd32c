"""How old results are, and where the time went, by lane and stage."""

from penstock.contracts.frames import View
from penstock.contracts.work import Outcome
from penstock.telemetry.analysis_statistics import LaneStatistics, Stage
from penstock.telemetry.histogram import Histogram, HistogramRecord


class LaneAges:
    """Histograms of one lane, cumulative over the engine's lives."""

    def __init__(self) -> None:
        self._stages = {stage: Histogram() for stage in Stage}
        self._records: dict[str, HistogramRecord] | None = None
        self.late = 0
        self.last_result_ns = 0
        self.first_taken_ns = 0
        self.last_heard_ns = 0

    def go_on_from(self, earlier: LaneStatistics) -> None:
        """Continues the sums of an earlier life of the engine."""
        for stage, record in earlier.stages.items():
            self._stages[Stage(stage)].merge(record)
        self._records = None
        self.late = earlier.late
        self.last_result_ns = earlier.last_result_ns
        self.first_taken_ns = earlier.first_taken_ns
        self.last_heard_ns = earlier.last_heard_ns

    def record(self, view: View, asked_ns: int, outcome: Outcome, now_ns: int) -> None:
        """A frame was analysed. The view may have been made for another lane, before this one asked."""
        frame = view.frame
        self._records = None
        stages = self._stages
        stages[Stage.DECODE].record(frame.decoded_ns - frame.capture.mono_ns)
        stages[Stage.WAIT].record(asked_ns - frame.decoded_ns)
        stages[Stage.VIEW].record(view.made_ns - max(asked_ns, frame.decoded_ns))
        stages[Stage.QUEUE].record(outcome.started_ns - max(view.made_ns, asked_ns))
        stages[Stage.COMPUTE].record(outcome.finished_ns - outcome.started_ns)
        stages[Stage.RESULT].record(now_ns - outcome.finished_ns)
        stages[Stage.AGE].record(now_ns - frame.capture.mono_ns)
        self.last_result_ns = max(self.last_result_ns, frame.capture.mono_ns)

    def records(self) -> dict[str, HistogramRecord]:
        # Of a thousand lanes few have a new result since they were last published, and copies take the engine's time.
        if self._records is None:
            self._records = {stage.value: histogram.to_record() for stage, histogram in self._stages.items()}
        return self._records
