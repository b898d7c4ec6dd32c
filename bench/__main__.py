"""`python -m bench`: runs benchmarks, writes one JSON file for each and one for the machine, shows a table."""

import argparse
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from bench import document, environment, runner, table
from bench.catalogue import NAMES, load
from bench.records import Effort


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures Penstock on this machine.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is given")
    parser.add_argument("--quick", action="store_true", help="short runs: shows that all works, its numbers are rough")
    parser.add_argument("--out", type=Path, default=Path("bench-out"), help="folder of the JSON files")
    parser.add_argument("--write-docs", action="store_true", help="then put the tables into docs/")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    (out / "environment.json").write_bytes(msgspec.json.encode(environment.environment()))
    failed = False
    for name in arguments.names or NAMES:
        with console.status(name) as status:
            report = runner.run(load(name), Effort(quick=arguments.quick), status.update)
        (out / f"{name}.json").write_bytes(msgspec.json.encode(report))
        table.show(report, console)
        failed = failed or bool(report.failed)
    console.print(f"raw samples: {out}/*.json")
    if arguments.write_docs:
        for page in document.PAGES:
            document.rewrite(out, page)
            console.print(f"{page.relative_to(environment.ROOT)} is up to date")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
