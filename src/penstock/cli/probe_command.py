"""`penstock probe`: connects once, listens, and tells what a camera sends."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from penstock.base.clock import NS_PER_S, SystemClock
from penstock.base.ids import boot_id, host_id, new_run_id, new_session_id
from penstock.base.units import format_duration, parse_duration_ns
from penstock.cli.main import UsageProblem
from penstock.config.addresses import meant_address
from penstock.contracts.specs import StreamSpec
from penstock.contracts.times import TimeBasis
from penstock.sources.arrival_clock import UNSETTLED_ERROR_NS
from penstock.sources.opening import open_source
from penstock.sources.probe import ProbeReport, wait_probe


def probe_command(
    url: str, for_text: str, console: Console | None = None, *, options: Mapping[str, str] | None = None
) -> int:
    """Raises SourceError where nothing comes. `options` are what an input's `options` are in a configuration."""
    if not url.strip():
        raise UsageProblem("no address; write: penstock probe rtsp://HOST/PATH, or a file")
    if meant := meant_address(url, Path()):
        raise UsageProblem(f"an address begins with {meant.partition('://')[0]}://; write: penstock probe {meant}")
    try:
        for_ns = parse_duration_ns(for_text)
    except ValueError as error:
        raise UsageProblem(f"--for: {error}") from None
    clock = SystemClock()
    source = open_source(
        StreamSpec(camera="probe", url=url, options=dict(options or {})),
        host_id=host_id(),
        boot_id=boot_id(),
        run_id=new_run_id(clock.utc_ns()),
        clock=clock,
        new_session=lambda: new_session_id(clock.utc_ns()),
    )
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in lines(wait_probe(source, clock, for_ns)):
        table.add_row(name, Text(value))
    (console or Console(highlight=False)).print(table)
    return 0


def named_options(given: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE` of each; raises UsageProblem for anything else."""
    found: dict[str, str] = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise UsageProblem(f"--option: {text!r} is no option; write NAME=VALUE, such as --option fps=10")
        found[name] = value
    return found


def lines(report: ProbeReport) -> list[tuple[str, str]]:
    """Name and value of everything that was seen."""
    declared = f" ({report.declared_fps:g} declared)" if report.declared_fps else ""
    profile = f" {report.profile}" if report.profile else ""
    gop = "no second keyframe came in time"
    if report.gop_pictures is not None:
        length = f", {format_duration(report.gop_ns)}" if report.gop_ns is not None else ""
        gop = f"{report.gop_pictures} pictures{length}"
    rows = [
        ("address", report.url),
        ("codec", f"{report.codec}{profile}{', with B-frames' if report.b_frames else ''}"),
        ("size", f"{report.width_px}×{report.height_px}"),
        ("rate", f"{report.measured_fps:g} fps{declared}, {report.bitrate_bps / 1000:.0f} kbit/s"),
        ("GOP", gop),
        ("connected in", format_duration(report.connect_ns)),
    ]
    if report.first_packet_ns is not None:
        rows.append(("first picture after", format_duration(report.first_packet_ns)))
    if report.basis is not None and report.error_ns is not None:
        known = f"{report.basis.value}, ± {format_duration(report.error_ns)}"
        unsettled = report.basis is TimeBasis.ARRIVAL and report.error_ns >= UNSETTLED_ERROR_NS
        rows.append(("capture time", "not known yet; listen longer, such as --for 10s" if unsettled else known))
    if report.cached_burst_ns:
        rows.append(("sent at once", f"{report.cached_burst_ns / NS_PER_S:.1f} s that the camera had kept"))
    if report.has_audio:
        rows.append(("audio", "yes, not used"))
    rows.append(("pictures seen", f"{report.pictures}, {report.keyframes} of them keyframes"))
    if report.ended is not None:
        rows.append(("ended early", report.ended.value))
    return rows
