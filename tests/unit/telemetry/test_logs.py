"""Log lines: throttled on virtual time, without credentials, whole, and in UTC."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.base.clock import NS_PER_S, SimulatedClock
from penstock.telemetry.log_format import HumanFormatter, JsonFormatter
from penstock.telemetry.logs import LineHandler, Logging
from penstock.telemetry.repeats import RepeatCounter

log = logging.getLogger("penstock.test")


class Output:
    """A handler whose records are dated by a simulated clock."""

    def __init__(self, clock: SimulatedClock, formatter: logging.Formatter) -> None:
        self._clock = clock
        self._stream = io.StringIO()
        self.handler = LineHandler(self._stream)
        self.handler.setFormatter(formatter)
        self.handler.addFilter(self._date)

    def _date(self, record: logging.LogRecord) -> bool:
        record.created = self._clock.utc_ns() / NS_PER_S
        return True

    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()


@pytest.fixture
def output(clock: SimulatedClock) -> Iterator[Output]:
    made = Output(clock, HumanFormatter("ingest-0"))
    log.addHandler(made.handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    yield made
    log.removeHandler(made.handler)
    log.propagate = True


def test_one_line_a_second_with_a_count(output: Output, clock: SimulatedClock) -> None:
    for _ in range(25):
        log.warning("nothing came for %d s", 3, extra={"camera": "front"})
        clock.advance(NS_PER_S // 10)
    output.handler.write_due(clock.utc_ns())
    told = [line.split(" ", 1)[1] for line in output.lines()]
    assert told == [
        "WARNING ingest-0   front: nothing came for 3 s",
        "WARNING ingest-0   front: nothing came for 3 s (9 times)",
        "WARNING ingest-0   front: nothing came for 3 s (10 times)",
    ]
    clock.advance(NS_PER_S)
    output.handler.write_due(clock.utc_ns())
    assert output.lines()[-1].endswith("(5 times)")


@pytest.mark.parametrize(
    "other", [{"camera": "back"}, {"camera": "front", "model": "people"}, {"camera": "front", "fault": "refused"}]
)
def test_other_cameras_and_models_are_told_apart(output: Output, other: dict[str, str]) -> None:
    log.warning("stalled", extra={"camera": "front"})
    log.warning("stalled", extra=other)
    assert len(output.lines()) == 2


def test_information_is_never_throttled(output: Output) -> None:
    for _ in range(5):
        log.info("connected")
    assert len(output.lines()) == 5


def test_a_template_with_other_values_is_the_same_message(output: Output) -> None:
    for seconds in range(5):
        log.warning("nothing came for %d s", seconds)
    assert len(output.lines()) == 1


def test_a_clock_set_back_silences_nothing(output: Output, clock: SimulatedClock) -> None:
    log.warning("stalled")
    clock.utc_offset_ns -= 3600 * NS_PER_S
    log.warning("stalled")
    assert len(output.lines()) == 2


def test_credentials_appear_nowhere(output: Output) -> None:
    url = "rtsp://admin:hunter2@10.0.0.5/x"
    try:
        raise OSError(f"cannot open {url}")
    except OSError:
        log.exception("opening %s failed", url, extra={"camera": f"cam {url}"})
    text = "\n".join(output.lines())
    assert "hunter2" not in text
    assert "opening rtsp://***@10.0.0.5/x failed" in text
    assert "OSError: cannot open rtsp://***@10.0.0.5/x" in text


def test_a_message_cannot_forge_a_line(output: Output) -> None:
    log.info("codec %s", "h264\n2026-01-01T00:00:00.000Z ERROR all is lost\x1b[2J")
    assert len(output.lines()) == 1
    assert "\\n2026" in output.lines()[0]
    assert "\x1b" not in output.lines()[0]


def test_a_message_that_cannot_be_filled_in_is_told_all_the_same(output: Output) -> None:
    log.info("%d frames", "many")
    assert "'%d frames' cannot be filled in" in output.lines()[0]


def test_times_are_utc(output: Output) -> None:
    log.info("begun")
    assert output.lines()[0] == "2023-11-14T22:30:00.000Z INFO    ingest-0   begun"


def test_json_lines(clock: SimulatedClock) -> None:
    made = Output(clock, JsonFormatter("engine"))
    record = log.makeRecord(
        log.name, logging.WARNING, __file__, 1, "late by %s", ("2 s\n",), None, extra={"camera": "front", "lane": 3}
    )
    made.handler.handle(record)
    entry = json.loads(made.lines()[0])
    assert {key: entry[key] for key in ("time", "level", "process", "logger", "message", "camera", "lane")} == {
        "time": "2023-11-14T22:30:00.000Z",
        "level": "warning",
        "process": "engine",
        "logger": "penstock.test",
        "message": "late by 2 s\n",
        "camera": "front",
        "lane": 3,
    }


def test_the_root_logger_is_given_back(clock: SimulatedClock) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    stream = io.StringIO()
    output = Logging("engine", clock, level="warning", stream=stream)
    output._ended.set()  # its thread would make virtual time race
    output.start()
    logging.getLogger("somebody").warning("one")
    logging.getLogger("somebody").info("not told")
    for _ in range(3):
        logging.getLogger("somebody").warning("one")
    output.stop()
    assert (root.handlers[:], root.level) == before
    assert [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()] == [
        "WARNING engine     one",
        "WARNING engine     one (3 times)",
    ]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, NS_PER_S)), max_size=80))
def test_no_message_is_lost_and_none_told_twice_within_a_second(steps: list[tuple[int, int]]) -> None:
    counter: RepeatCounter[int] = RepeatCounter(bound=2)
    now_ns = told = 0
    for key, wait_ns in steps:
        now_ns += wait_ns
        told += sum(count for _, count in counter.due(now_ns))
        told += counter.offer(key, key, now_ns)
    told += sum(count for _, count in counter.due(now_ns, all_of_them=True))
    assert told == len(steps)
