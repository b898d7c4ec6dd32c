"""Spoilt RTSP, SDP and RTP end in a named fault or in pictures, in time and in bounded memory, and crash nothing.

A quick batch by default; `PENSTOCK_FUZZ_CASES=20000 pytest tests/integration/test_source_fuzz.py` tries as many as
told, from the seed `PENSTOCK_FUZZ_FIRST`. One case again: `python tests/peers/rtsp_fuzz.py SEED 1`.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import rtsp_fuzz

from penstock.contracts.sources import SourceFault

PROGRAM = Path(rtsp_fuzz.__file__)
CASES = int(os.environ.get("PENSTOCK_FUZZ_CASES", "300"))
FIRST = int(os.environ.get("PENSTOCK_FUZZ_FIRST", "1"))
BATCH = 500
LONGEST_CALL_S = 5.0
"""a call may take 0.4 s; the rest is for a machine with other work"""
PEAK_MIB = 600
FAULTS = {fault.value for fault in SourceFault} - {"interrupted"}


def played(first: int, count: int) -> tuple[list[dict[str, Any]], int]:
    """The cases of one process, and its peak memory in MiB; fails where it crashed, naming the seeds to blame."""
    child = subprocess.run(
        [sys.executable, str(PROGRAM), str(first), str(count)],
        capture_output=True,
        text=True,
        timeout=60 + count,
        check=False,
    )
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    cases = [line for line in lines if "seed" in line]
    if child.returncode != 0:
        unended = {line["begins"] for line in lines if "begins" in line} - {case["seed"] for case in cases}
        pytest.fail(f"exit code {child.returncode}; one of the cases {sorted(unended)} did it\n{child.stderr[-6000:]}")
    return cases, next(line["peak_mib"] for line in lines if "peak_mib" in line)


def test_every_spoilt_conversation_ends_in_a_fault_or_in_pictures() -> None:
    ends: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    peak_mib = 0
    for first in range(FIRST, FIRST + CASES, BATCH):
        count = min(BATCH, FIRST + CASES - first)
        cases, used_mib = played(first, count)
        peak_mib = max(peak_mib, used_mib)
        assert {case["seed"] for case in cases} == set(range(first, first + count))
        for case in cases:
            ends[case["ended"]] += 1
            seen["pictures" if case["pictures"] else "units" if case["units"] else "nothing"] += 1
            assert case["ended"] in FAULTS | {"went on"}, case
            assert case["longest_s"] < LONGEST_CALL_S, case
    print(f"{CASES} cases: {dict(ends)}; {dict(seen)}; at most {peak_mib} MiB")
    assert peak_mib < PEAK_MIB
    # What is spoilt is neither refused as a whole nor taken as a whole.
    assert min(seen["pictures"], seen["nothing"]) > CASES // 10
    assert len(ends) >= 4
