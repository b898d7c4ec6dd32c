"""`penstock demo`: simulated cameras, the detector in the box and three rules, and how right the events were.

The cameras are served by `penstock simulate` in a process of its own, so that what is measured is the engine; the
configuration is written to a file as anybody would write it, and run like any other.
"""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from penstock.cli.demo_config import demo_yaml
from penstock.cli.demo_truth import events_against_truth
from penstock.cli.main import UsageProblem
from penstock.cli.run_command import RunOptions, duration_ns, run_configured
from penstock.config.loader import load_config
from penstock.models.demo import demo_detector_path
from penstock.runtime.data_folder import DataFolder
from penstock.runtime.rule_check import check_rule
from penstock.simulator.ready import Ready, decode_ready

DEMO_DIR = Path("penstock-demo")
"""not that of `penstock run`: what is drawn must never stand among what is real"""
STOPPED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The command's arguments as they were typed."""

    cameras: int = 4
    seed: int = 1
    for_text: str | None = None
    report: Path | None = None
    data_dir: Path | None = None
    metrics_port: int | None = None
    quiet: bool = False


def demo_command(options: DemoOptions) -> int:
    """Runs until interrupted or `--for` is over, and returns the exit code."""
    if options.for_text is not None:
        duration_ns(options.for_text, "--for")
    data_dir = (options.data_dir or DEMO_DIR).absolute()
    _refuse_used(data_dir)
    told = Console(stderr=True, highlight=False)
    cameras = "1 simulated camera" if options.cameras == 1 else f"{options.cameras} simulated cameras"
    told.print(f"A demonstration with {cameras}; the first time, scenes are drawn.", soft_wrap=True)
    simulator = Simulator(options, data_dir / "films")
    try:
        ready = simulator.wait_ready()
        config = data_dir / "demo.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(demo_yaml(ready, data_dir, demo_detector_path()), encoding="utf-8")
        told.print(f"Its configuration: {config}", soft_wrap=True)
        loaded = load_config(config, {}, rule_check=check_rule)
        run = RunOptions(
            for_text=options.for_text,
            report=options.report,
            metrics_port=_metrics_port(options, loaded.config.metrics.port, told),
            quiet=options.quiet,
        )
        code = run_configured(loaded, run, complete=lambda report: _completed(report, ready, simulator))
    finally:
        simulator.wait_stopped()
    return code


def _refuse_used(data_dir: Path) -> None:
    """Raises DataFolderError before anything is drawn or written over, where another demonstration runs there."""
    folder = DataFolder(data_dir)
    folder.take()
    folder.give_back()


def _metrics_port(options: DemoOptions, usual: int, told: Console) -> int | None:
    """Another one where `usual` is taken and none was asked for: a demonstration is not to fail for that."""
    if options.metrics_port is not None or (free := _free_port(usual)) == usual:
        return options.metrics_port
    told.print(f"Port {usual} is in use, so /metrics and /health are at http://127.0.0.1:{free}/", soft_wrap=True)
    return free


def _free_port(wanted: int) -> int:
    """`wanted`, or any other where a program listens there."""
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", wanted))
        except OSError:
            trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def _completed(report: dict[str, Any], ready: Ready, simulator: "Simulator") -> None:
    """Adds what the drawn truth says, and what the simulation itself cost."""
    report["truth"] = events_against_truth(report, ready)
    report["simulator"] = simulator.usage()


class Simulator:
    """`penstock simulate` as a child; whoever makes it ends it."""

    def __init__(self, options: DemoOptions, films: Path) -> None:
        command = [sys.executable, "-m", "penstock", "simulate", "--json", "--port", "0", "--cached-gop"]
        command += ["--cameras", str(options.cameras), "--seed", str(options.seed), "--films", str(films)]
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def wait_ready(self) -> Ready:
        """Starts it and waits until its cameras can be connected to. Raises UsageProblem where it cannot."""
        # A process group of its own: Ctrl-C is for the run, which ends the cameras after itself.
        process = self._process = subprocess.Popen(  # noqa: S603 - this very program, with numbers and a path of its own
            self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, process_group=0
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise UsageProblem("the simulated cameras did not start; what they said of it stands above")
        return decode_ready(line)

    def usage(self) -> dict[str, float | int]:
        """CPU seconds and resident memory so far; empty where it is gone."""
        if self._process is None:
            return {}
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii", errors="replace")
            pages = int(Path(f"/proc/{self._process.pid}/statm").read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):
            return {}
        ticks = sum(int(field) for field in stat.rpartition(")")[2].split()[11:13])
        return {
            "cpu_s": round(ticks / os.sysconf("SC_CLK_TCK"), 3),
            "rss_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
        }

    def wait_stopped(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
