"""The generated parts of docs/performance.md: only what stands between markers changes."""

from bench.cells import number
from bench.document import replaced, report_markdown
from bench.records import Comparison, Goal, Report, Series, Taken
from bench.samples import ratio, summaries, verdict

PAGE = """# Title
<!-- bench:one -->
old
<!-- /bench:one -->
prose | with a bar
<!-- bench:two -->
<!-- /bench:two -->
"""


def report(layout: str = "rows") -> Report:
    rounds = [{"a": Taken({"time": Series("µs", [1.0, 2.0])}), "b": Taken({"time": Series("µs", [4.0, 4.0])})}]
    found = summaries(rounds)
    ratios = [ratio(Comparison("time", "a", "b"), rounds)]
    return Report(
        name="one",
        title="one question",
        command="python -m bench one",
        quick=False,
        measured_utc="2026-01-02T03:04:05Z",
        revision="abc",
        layout=layout,
        summaries=found,
        verdicts=[verdict(Goal("a", "time", 0.5), found)],
        ratios=[one for one in ratios if one is not None],
    )


def test_only_the_given_blocks_are_replaced() -> None:
    text = replaced(PAGE, {"one": "new\n"})

    assert text == PAGE.replace("old\n", "new\n")
    assert replaced(text, {"one": "new\n"}) == text


def test_rows_name_command_percentiles_goals_and_ratios() -> None:
    assert report_markdown(report()).splitlines() == [
        "`python -m bench one`: 2026-01-02T03:04:05Z, revision abc.",
        "",
        "| variant | what | unit | p50 | p99 | p99.9 | p50 by round | samples |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        "| a | time | µs | 1.00 |  |  | 1.00–1.00 | 2 |",
        "| b | time | µs | 4.00 |  |  | 4.00–4.00 | 2 |",
        "",
        "- a: time, p50 ≤ 0.500 µs: 1.00 µs, MISSED",
        "- a takes 0.375× of b (time; by round 0.375–0.375)",
        "",
    ]


def test_a_matrix_has_a_row_per_series_and_a_column_per_variant() -> None:
    lines = report_markdown(report("matrix")).splitlines()

    assert lines[2:5] == ["| what | unit | a | b |", "| --- | --- | --- | --- |", "| time | µs | 1.00 | 4.00 |"]


def test_numbers_have_three_digits() -> None:
    values = (0, 0.0123, 1.234, 12.34, 123.4, 12345.6)
    assert [number(value) for value in values] == ["0", "0.012", "1.23", "12.3", "123", "12,346"]
