"""What `penstock admit` prints: what refuses first, equal cameras together, what is not planned by rate."""

from penstock.cli.admit_command import told
from penstock.runtime.admission_costs import CostNote, cost_lines
from penstock.runtime.memory_plan import MIB, MemoryLine, MemoryPlan
from penstock.scheduling.admission import Admission, Verdict

EQUAL = "25/s, keyframe every 2 s, 2.47 ms of processor time each"
LINES = (MemoryLine("decoders", 2, 25 * MIB, "estimate", "analyse smaller streams"),)


def admission(verdict: Verdict) -> Admission:
    return Admission(verdict, (), (), (), ("a/m would not run: too slow (1 of 2)", "b/m as well"))


def test_memory_that_is_too_small_comes_first_whatever_else_is_refused() -> None:
    for verdict in Verdict:
        answer = told(admission(verdict), MemoryPlan(LINES, 40 * MIB), [])
        assert answer[:5] == [
            "refuse: the run would need 50 MiB of memory, which is 10 MiB more than capacity.memory_budget, 40 MiB:",
            "  decoders      50 MiB  (2 × 25 MiB, estimate)",
            "  together      50 MiB",
            "To make it fit: analyse smaller streams; or raise capacity.memory_budget to 50 MiB",
            "what the plan would make of it:",
        ]
        assert answer[5] == f"{verdict}: a/m would not run: too slow (1 of 2)"


def test_memory_that_fits_comes_after_the_verdict() -> None:
    answer = told(admission(Verdict.REDUCE), MemoryPlan(LINES, 50 * MIB), [])
    assert answer[0].startswith("reduce: ")
    assert "memory:" in answer


def test_equal_cameras_are_one_line() -> None:
    notes = [
        CostNote("model m", "20 ms", "assumed"),
        *(CostNote(f"camera c{number}", EQUAL, "assumed") for number in range(7)),
        CostNote("camera odd", EQUAL, "assumed", "refused"),
        CostNote("camera c7", EQUAL, "assumed"),
        CostNote("model n", "20 ms", "assumed"),
    ]
    assert cost_lines(notes) == [
        "model m: 20 ms (assumed)",
        f"8 cameras (c0, c1, c2, c3, c4 and 3 more): {EQUAL} (assumed)",
        f"camera odd: {EQUAL} (assumed; refused)",
        "model n: 20 ms (assumed)",
    ]


def test_what_is_read_without_loss_is_said() -> None:
    plan = MemoryPlan(LINES, 0)
    assert (
        "note: a is read without loss and goes as fast as the others leave room: in the sum of memory, and not in that "
        "of rates"
    ) in told(admission(Verdict.ACCEPT), plan, [], ["a"])
    many = told(admission(Verdict.ACCEPT), plan, [], [f"c{number}" for number in range(6)])
    assert any(line.startswith("note: c0, c1, c2, c3, c4 and 1 more are read without loss") for line in many)
    assert not any(line.startswith("note:") for line in told(admission(Verdict.ACCEPT), plan, []))
