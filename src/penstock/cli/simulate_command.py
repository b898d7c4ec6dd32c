"""`penstock simulate`: draws what has to be drawn, then serves the cameras until it is interrupted."""

import asyncio
import re
import secrets
import signal
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from penstock.base.clock import NS_PER_S, Clock, SystemClock
from penstock.cli.main import UsageProblem
from penstock.cli.run_command import duration_ns
from penstock.restream.authentication import PasswordAuthentication
from penstock.simulator.draw import wait_drawn
from penstock.simulator.faults import Fault, FaultSyntaxError, parse_fault
from penstock.simulator.fleet import SUB_FPS, SUB_SIZE_PX, FleetError, FleetSpec, fleet
from penstock.simulator.ready import Ready, encode_ready
from penstock.simulator.scene_spec import SETTINGS
from penstock.simulator.video_file import EncodingSpec

if TYPE_CHECKING:
    from penstock.simulator.line_up import Served

DEFAULT_FILMS = Path("penstock-data") / "films"
AUTHENTICATION = {"any": ("digest-sha256", "digest-md5", "basic"), "digest": ("digest-md5",), "basic": ("basic",)}


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """The command's arguments as they were typed."""

    cameras: int = 4
    settings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    seed: int = 1
    loop_text: str = "40s"
    busy: float = 1.0
    timecode: bool = False
    codec: str = "h264"
    size: str = "640x360"
    fps: int = 25
    gop: int = 50
    b_frames: int = 0
    kbps: int | None = None
    sub: bool = True
    sub_fps: int = SUB_FPS
    cached_gop: bool = False
    host: str = "127.0.0.1"
    port: int = 8554
    user: str = ""
    password: str = ""
    auth: str = "any"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    faults: tuple[str, ...] = ()
    films: Path | None = None
    for_text: str | None = None
    json: bool = False


def simulate_command(options: SimulateOptions) -> int:
    """Serves until interrupted or `--for` is over, and returns the exit code."""
    for_ns = None if options.for_text is None else duration_ns(options.for_text, "--for")
    tls, authentication = _tls(options), _authentication(options)
    clock = SystemClock()
    cameras = _cameras(options, clock)
    # Imported here: mistakes in the command are told without loading all.
    from penstock.simulator.simulation import Simulation  # noqa: PLC0415

    simulation = Simulation(
        [camera.plan for camera in cameras],
        clock,
        host=options.host,
        port=options.port,
        authentication=authentication,
        tls=tls,
    )

    def on_ready() -> None:
        ready = Ready(tuple(camera.ready(simulation.url, clock) for camera in cameras))
        if options.json:
            print(encode_ready(ready), flush=True)
        else:
            _announce(ready, options, Console(highlight=False))

    async def wait_served() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, simulation.stop_nowait)
        await simulation.wait_run(on_ready, for_ns)

    try:
        asyncio.run(wait_served())
    except OSError as error:
        place, reason = f"{options.host}:{options.port}", (error.strerror or str(error)).lower()
        raise UsageProblem(f"{place} cannot be listened on: {reason}; choose another --port, 0 takes any") from None
    return 0


def _cameras(options: SimulateOptions, clock: Clock) -> "list[Served]":
    """Draws what is missing and reads all films."""
    from penstock.simulator.film import FilmError  # noqa: PLC0415 - loads FFmpeg
    from penstock.simulator.line_up import drawn_cameras, file_cameras  # noqa: PLC0415

    try:
        faults = [parse_fault(text) for text in options.faults]
        if options.files:
            return file_cameras(options.files, clock, faults=faults, cached_gop=options.cached_gop, seed=options.seed)
        wanted = fleet(_fleet_spec(options, tuple(faults)), (options.films or DEFAULT_FILMS).absolute())
        Console(stderr=True, highlight=False).print(
            f"Drawing {len(wanted.drawings)} scenes; what has been drawn before is kept.", soft_wrap=True
        )
        wait_drawn(wanted.drawings)
        return drawn_cameras(wanted, clock, faults=faults, cached_gop=options.cached_gop, seed=options.seed)
    except (FleetError, FaultSyntaxError, FilmError) as error:
        raise UsageProblem(str(error)) from None


def _fleet_spec(options: SimulateOptions, faults: tuple[Fault, ...]) -> FleetSpec:
    size = re.fullmatch(r"(\d+)x(\d+)", options.size)
    if size is None:
        raise UsageProblem(f"--size: {options.size!r} is no size; write 640x360")
    width_px, height_px = int(size[1]), int(size[2])
    sub_fps = min(options.sub_fps, options.fps)
    try:
        return FleetSpec(
            cameras=options.cameras,
            settings=options.settings or SETTINGS,
            seed=options.seed,
            seconds=duration_ns(options.loop_text, "--loop") / NS_PER_S,
            busy=options.busy,
            timecode=options.timecode,
            main=EncodingSpec(
                options.codec, width_px, height_px, options.fps, options.gop, options.b_frames, kbps=options.kbps
            ),
            sub=EncodingSpec(options.codec, *SUB_SIZE_PX, fps=sub_fps, gop=2 * sub_fps) if options.sub else None,
            faults=faults,
        )
    except ValueError as error:
        raise UsageProblem(str(error)) from None


def _authentication(options: SimulateOptions) -> PasswordAuthentication | None:
    if bool(options.user) != bool(options.password):
        raise UsageProblem("--user and --password go together")
    if not options.user:
        return None
    if options.auth not in AUTHENTICATION:
        raise UsageProblem(f"--auth: {options.auth!r} is not known; there are {', '.join(AUTHENTICATION)}")
    users = {options.user: options.password}
    return PasswordAuthentication(users, secret=secrets.token_bytes(16), schemes=AUTHENTICATION[options.auth])


def _tls(options: SimulateOptions) -> ssl.SSLContext | None:
    if options.tls_cert is None:
        if options.tls_key is not None:
            raise UsageProblem("--tls-key goes with --tls-cert")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageProblem(f"--tls-cert {options.tls_cert}: no usable certificate and key: {reason}") from None
    return context


def _announce(ready: Ready, options: SimulateOptions, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("camera", "main stream", "sub-stream"):
        table.add_column(title, no_wrap=True)
    for camera in ready.cameras:
        table.add_row(camera.name, camera.url, camera.sub_url or "-")
    console.print(table)
    if options.user:
        console.print(f"User {options.user!r} with the password that was given.")
    first = ready.cameras[0]
    console.print(f"Try: penstock probe {first.url}    or: penstock run --camera {first.url}", soft_wrap=True)
    console.print("Ctrl-C ends it.")
