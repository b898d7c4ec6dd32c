"""One turn of one variant in a fresh process: `python -m bench.worker JOB.json`, written by the runner.

A fresh process per turn, so that no contestant inherits another's caches, memory or warmed-up interpreter.
"""

import sys
from pathlib import Path

import msgspec

from bench.catalogue import load
from bench.records import Context, Effort


class Job(msgspec.Struct, frozen=True):
    """What to run, and the file that takes what it measured (a `Taken` as JSON)."""

    benchmark: str
    variant: str
    effort: Effort
    context: Context
    result: str


def main() -> None:
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    taken = load(job.benchmark).measure(job.variant, job.effort, job.context)
    Path(job.result).write_bytes(msgspec.json.encode(taken))


if __name__ == "__main__":
    main()
