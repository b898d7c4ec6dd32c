"""Puts what `penstock bench` measured into docs/performance.md: `python -m bench.harness_document DIR`.

Only what stands between `<!-- harness:NAME -->` and `<!-- /harness:NAME -->` is replaced, and every such block is: one
whose scenarios DIR does not have says that they are not measured yet, so that no table outlives what it stands on.
"""

import argparse
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.environment import ROOT
from bench.harness_tables import BLOCKS, CURVE, MEMORY, Results, remarks
from penstock.harness.catalogue import SCENARIOS
from penstock.harness.results_folder import CURVE as CURVE_TABLE
from penstock.harness.results_folder import OTHERS, PLOTS, SUMMARY, VALIDATION, read_sessions, read_table

PAGE = ROOT / "docs" / "performance.md"
CURVE_PLOT = "age_against_load.png"
NOT_YET = "Not measured yet: "
_BLOCK = re.compile(r"(<!-- harness:(?P<name>\w+) -->\n).*?(<!-- /harness:(?P=name) -->)", re.DOTALL)


def rewrite(folder: Path, page: Path) -> None:
    """Raises OSError where `page` cannot be read or written; a folder without results makes every block say so."""
    results = read_results(folder)
    plot = folder / PLOTS / CURVE_PLOT
    kept = page.parent / "plots" / CURVE_PLOT
    if results.curve and plot.is_file():
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(plot, kept)
    text = page.read_text(encoding="utf-8")
    page.write_text(replaced(text, results, with_plot=kept.is_file()), encoding="utf-8")


def read_results(folder: Path) -> Results:
    series = {
        int(number): [float(row["rss_mib"]) for row in read_table(path)]
        for path in folder.glob(f"{MEMORY}-*.csv")
        if (number := path.stem.removeprefix(f"{MEMORY}-")).isdigit()
    }
    return Results(
        summary=read_table(folder / SUMMARY),
        validation=read_table(folder / VALIDATION),
        others=read_table(folder / OTHERS),
        curve=read_table(folder / CURVE_TABLE),
        memory=series,
        sessions=read_sessions(folder),
    )


def replaced(text: str, results: Results, *, with_plot: bool = False) -> str:
    """`text` with every block of ours made anew; a block of an unknown name stays. Pure."""

    def block(match: "re.Match[str]") -> str:
        name = match["name"]
        if name not in BLOCKS:
            return match[0]
        return f"{match[1]}{block_text(results, name, with_plot=with_plot)}{match[3]}"

    return _BLOCK.sub(block, text)


def block_text(results: Results, name: str, *, with_plot: bool = False) -> str:
    """The command and the conditions, the tables, and the claims that did not hold."""
    draw, scenarios = BLOCKS[name]
    tables = draw(results)
    if not tables:
        return f"{NOT_YET}`penstock bench {asked(scenarios)} --out DIR`.\n"
    lines = [*conditions(results.sessions, scenarios), *tables, *remarks(results, scenarios)]
    if scenarios == (CURVE,) and with_plot:
        lines = [*lines, f"![Age of results against the number of cameras](plots/{CURVE_PLOT})", ""]
    return "\n".join(lines) + "\n"


def asked(scenarios: Sequence[str]) -> str:
    """What to name on the command line to run these: groups where they are whole, `--all` where it is all of them."""
    everything = {name for name, scenario in SCENARIOS.items() if scenario.group != "long"}
    words = ["--all"] if everything <= set(scenarios) else []
    left = [name for name in scenarios if not words or name not in everything]
    for group in dict.fromkeys(SCENARIOS[name].group for name in left if name in SCENARIOS):
        whole = [name for name, scenario in SCENARIOS.items() if scenario.group == group]
        if len(whole) > 1 and set(whole) <= set(left):
            words.append(group)
            left = [name for name in left if name not in whole]
    return " ".join([*words, *left])


def conditions(sessions: Sequence[Mapping[str, Any]], scenarios: Sequence[str]) -> list[str]:
    """A line for each session of whose runs some were not done again by a later one."""
    used: list[Mapping[str, Any]] = []
    for name in scenarios:
        replaced_runs = 0
        for session in reversed(sessions):
            settings = session["settings"]
            if name in settings["scenarios"] and settings["runs"] > replaced_runs:
                replaced_runs = settings["runs"]
                if session not in used:
                    used.append(session)
    if not used:
        return ["How this was measured was not recorded.", ""]
    used.sort(key=lambda session: int(session["measured_utc_ns"]))
    return [line for session in used for line in (_condition(session), "")]


def _condition(session: Mapping[str, Any]) -> str:
    settings = session["settings"]
    when = datetime.fromtimestamp(int(session["measured_utc_ns"]) // 10**9, UTC)
    command = (
        f"penstock bench {asked(settings['scenarios'])} --runs {settings['runs']} --for {settings['for_s']:g}s "
        f"--warm-up {settings['warm_up_s']:g}s --out DIR"
    )
    if settings["isolation"] != "process":
        command += f" --isolation {settings['isolation']}"
    return (
        f"`{command}`: {when:%Y-%m-%dT%H:%M:%SZ}, revision {session.get('revision') or 'unknown'}, {session['cpu']}, "
        f"{session['cores']} cores ({session['cores_allowed']} allowed), {session['memory_mib']:,} MiB, "
        f"Linux {session['kernel']}, Python {session['python']}, load average "
        f"{session['load_average_before'][0]:.1f} before."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.harness_document")
    parser.add_argument("folder", type=Path, help="folder that `penstock bench --out` wrote")
    folder: Path = parser.parse_args().folder
    if not (folder / SUMMARY).is_file() and not (folder / CURVE_TABLE).is_file():
        parser.error(f"{folder} holds no results: run `penstock bench --all --runs 3 --for 20s --out {folder}` first")
    rewrite(folder, PAGE)


if __name__ == "__main__":
    main()
