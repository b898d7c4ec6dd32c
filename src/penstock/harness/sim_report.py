"""A fleet's report as text for people, and as files: `sim.json`, `sim_priorities.csv`, `sim_hosts.csv`.

Nothing in them depends on the machine or the hour: two runs of one seed write the same bytes.
"""

import csv
import io
from pathlib import Path

import msgspec

from penstock.base.units import format_duration
from penstock.harness.sim_fleet import FleetReport


def text(report: FleetReport) -> str:
    """A few lines and one table."""
    spec = report.spec
    seconds = spec.for_ns / 1e9
    about = (
        f"{spec.cameras} cameras on {spec.hosts} hosts for {format_duration(spec.for_ns)}, seed {spec.seed}: "
        f"{spec.fps:g}/s each of a {spec.model_cost_ns / 1e6:g} ms model on {spec.streams} streams and "
        f"{spec.cores:g} cores, something moves {spec.moving:.0%} of the time"
    )
    lines = [
        about,
        "",
        "priority   lanes  wanted/s  granted/s  analysed/s   least/s   age p50      p95      p99    p99.9    late",
    ]
    for row in report.priorities:
        ages = "".join(f"{value / 1e6:6.0f} ms" for value in row.ages_ns.values())
        lines.append(
            f"{row.priority:8d} {row.lanes:7d} {row.wanted_fps:9.2f} {row.granted_fps:10.3f} {row.analysed_fps:11.3f} "
            f"{row.least_analysed_fps:9.3f} {ages} {row.late:7d}"
        )
    offered = sum(report.fates.values())
    fates = ", ".join(f"{name} {count}" for name, count in report.fates.items() if count)
    steps = ", ".join(f"{name} {count}" for name, count in report.steps.items() if count)
    hosts = report.hosts
    hourly = report.plan_changes / max(1, len(hosts)) / (seconds / 3600)
    plan = f"plan: {report.plan_changes} changes, {hourly:.1f} per host and hour"
    use = f"device use: {_spread([host.device_use for host in hosts])}; "
    use += f"processor use: {_spread([host.host_use for host in hosts])}"
    lines += [
        "",
        f"frames: {offered}: {fates}",
        f"lanes at the end: {steps}",
        plan,
        use,
    ]
    if spec.rules:
        lines.append(f"rules: {report.rule_events} events; could not say {report.rule_blind:.2%} of the time")
    short = sum(host.decode_short_s > 0 for host in hosts)
    if short:
        lines.append(
            f"On {short} hosts decoding alone took more than there is for a while: their ages are too good to be true. "
            "Give them fewer cameras, more cores, or sub-streams."
        )
    return "\n".join(lines) + "\n"


def write(report: FleetReport, folder: Path) -> list[Path]:
    """Writes the three files, making the folder; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    priorities = [
        {name: value for name, value in msgspec.structs.asdict(row).items() if name != "ages_ns"}
        | {f"age_{name}_ns": value for name, value in row.ages_ns.items()}
        for row in report.priorities
    ]
    files = {
        "sim.json": json_text(report),
        "sim_priorities.csv": _csv(priorities),
        "sim_hosts.csv": _csv([msgspec.structs.asdict(row) for row in report.hosts]),
    }
    written = []
    for name, content in files.items():
        path = folder / name
        path.write_text(content, encoding="utf-8")
        written.append(path)
    return written


def json_text(report: FleetReport) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def _spread(values: list[float]) -> str:
    if not values:
        return "none"
    return f"{min(values):.0%} to {max(values):.0%}, {sum(values) / len(values):.0%} on average"


def _csv(rows: list[dict[str, object]]) -> str:
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue()
