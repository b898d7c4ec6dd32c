"""docs/troubleshooting.md names only metrics, keys, commands, options and pages that there are."""

import re
from pathlib import Path
from typing import Any

import typer.main
from quoted_page import PAGE, PROSE, QUOTED, ROOT

from penstock.cli.main import app
from penstock.config.loader import load_config
from penstock.contracts.fates import Fate
from penstock.telemetry.analysis_statistics import Stage


def source_of(module: str) -> str:
    return (ROOT / "src" / "penstock" / module).read_text(encoding="utf-8")


def test_every_block_has_a_mark() -> None:
    assert len(re.findall(r"^```text$", PAGE, re.MULTILINE)) == len(QUOTED) == len({block.name for block in QUOTED})


def test_metrics_that_are_named_exist() -> None:
    declared = set()
    family = r'families\.(gauge|counter|histogram)\(\s*"(\w+)"'
    for kind, name in re.findall(family, source_of("telemetry/exporter.py")):
        declared.add(f"penstock_{name}{'_total' if kind == 'counter' else ''}")
    assert set(re.findall(r"`(penstock_\w+)`", PAGE)) <= declared


def test_keys_that_are_named_exist() -> None:
    """Those of reports, health and metrics as the code writes them; all others as their pages list them."""
    code = ("telemetry/report.py", "telemetry/health.py", "telemetry/exporter.py", "runtime/application.py")
    known = {word for module in code for word in re.findall(r'"(\w+)"', source_of(module))}
    known |= {fate.label for fate in Fate} | {stage.value for stage in Stage}
    for page in ("configuration.md", "events.md", "rules.md"):
        known |= words_of((ROOT / "docs" / page).read_text(encoding="utf-8"))
    named = [inline for inline in re.findall(r"`([^`\n]+)`", PROSE) if re.fullmatch(r"[a-z_]+(\.[a-z_]+)*", inline)]
    for inline in named:
        if not inline.endswith(".json") and not inline.startswith("penstock_") and inline not in OTHER_WORDS:
            assert set(inline.split(".")) <= known, inline


OTHER_WORDS = ("ping", "timedatectl", "ingest", "degraded")
"""in code on the page, and no keys"""


def words_of(text: str) -> set[str]:
    return {word for code in re.findall(r"`([^`\n]+)`", text) for word in re.findall(r"\w+", code)}


def test_commands_and_options_that_are_named_exist() -> None:
    group = typer.main.get_command(app)
    found = 0
    for inline in re.findall(r"`(penstock [^`\n]+)`", PROSE):
        words = inline.split()[1:]
        named: Any = group
        while hasattr(named, "commands") and words and not words[0].startswith("-"):
            assert words[0] in named.commands, inline
            named = named.commands[words.pop(0)]
        options = {option for parameter in (*named.params, *group.params) for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= options, inline
        found += 1
    assert found > 10


def test_configurations_on_the_page_are_correct(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for block in blocks:
        (tmp_path / "house.yaml").write_text(block, encoding="utf-8")
        load_config(tmp_path / "house.yaml", {})
    for inline in re.findall(r"`((?:input|motion|metrics|executors|logging): \{[^`]*\})`", PAGE):
        key = inline.partition(":")[0]
        whole = "cameras: {front: {url: 'rtsp://192.0.2.10/s'" + (
            f", {inline}}}}}" if key in ("input", "motion") else f"}}}}\n{inline}"
        )
        (tmp_path / "house.yaml").write_text(whole + "\n", encoding="utf-8")
        load_config(tmp_path / "house.yaml", {})


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        path, _, anchor = target.partition("#")
        assert (ROOT / "docs" / path).exists(), target
        assert path or anchor in headings, target
