"""`penstock simulate`: draws what has to be drawn, then serves the cameras until it is interrupted."""

import asyncio
import errno
import os
import re
import secrets
import signal
import socket
import ssl
from collections.abc import Mapping, Sequence
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
from penstock.simulator.scene_spec import SETTINGS, SceneSpec
from penstock.simulator.video_file import EncodingSpec, is_drawn

if TYPE_CHECKING:
    from penstock.simulator.line_up import Served

DEFAULT_FILMS = Path("penstock-demo") / "films"
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
    _require_free(options)
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
        raise _not_listening(options, error) from None
    return 0


def _require_free(options: SimulateOptions) -> None:
    """Before minutes are spent on drawing for an address that is taken."""
    try:
        family = socket.getaddrinfo(options.host, options.port, type=socket.SOCK_STREAM)[0][0]
        socket.create_server((options.host, options.port), family=family).close()
    except OSError as error:
        raise _not_listening(options, error) from None


def _not_listening(options: SimulateOptions, error: OSError) -> UsageProblem:
    reason = "it is in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0).lower()
    advice = "choose another --port, 0 takes any"
    if isinstance(error, socket.gaierror):
        reason, advice = "no such host is known", "give an address of this machine as --host"
    elif error.errno == errno.EADDRNOTAVAIL:
        reason, advice = "the address is not this machine's", "choose another --host"
    elif error.errno == errno.EACCES:
        advice = "choose a --port from 1024 up"
    return UsageProblem(f"{options.host}:{options.port} cannot be listened on: {reason}; {advice}")


def _cameras(options: SimulateOptions, clock: Clock) -> "list[Served]":
    """Draws what is missing and reads all films."""
    from penstock.simulator.film import FilmError  # noqa: PLC0415 - loads FFmpeg
    from penstock.simulator.line_up import drawn_cameras, file_cameras  # noqa: PLC0415

    try:
        faults = [parse_fault(text) for text in options.faults]
        if options.files:
            return file_cameras(options.files, clock, faults=faults, cached_gop=options.cached_gop, seed=options.seed)
        wanted = fleet(_fleet_spec(options, tuple(faults)), (options.films or DEFAULT_FILMS).absolute())
        _wait_drawn(wanted.drawings)
        return drawn_cameras(wanted, clock, faults=faults, cached_gop=options.cached_gop, seed=options.seed)
    except (FleetError, FaultSyntaxError, FilmError) as error:
        raise UsageProblem(str(error)) from None


def _wait_drawn(drawings: Sequence[tuple[SceneSpec, Mapping[Path, EncodingSpec]]]) -> None:
    """Says so where there is something to draw; a SIGTERM meanwhile ends the drawing too, as Ctrl-C does."""
    waiting = [films for scene, films in drawings if not all(is_drawn(path, scene, of) for path, of in films.items())]
    if not waiting:
        return
    scenes = "a scene" if len(waiting) == 1 else f"{len(waiting)} scenes"
    told = f"Drawing {scenes}, once: films are kept in {next(iter(waiting[0])).parent}."
    Console(stderr=True, highlight=False).print(told, soft_wrap=True)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        wait_drawn(drawings)
    finally:
        signal.signal(signal.SIGTERM, before)


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
        reason = "they do not belong together, or are not PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageProblem(f"--tls-cert {options.tls_cert}: no usable certificate and key: {reason}") from None
    return context


def _announce(ready: Ready, options: SimulateOptions, console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("camera", "main stream", "sub-stream"):
        table.add_column(title, no_wrap=True)
    for camera in ready.cameras:
        table.add_row(camera.name, camera.url, camera.sub_url or "-")
    console.print(table)
    first = ready.cameras[0].url
    if options.user:
        console.print(f"They ask for user {options.user!r} and the password that was given: put both into the address.")
        first = first.replace("://", "://USER:PASSWORD@")
    console.print(f"Try: penstock probe {first}    or: penstock run --camera {first}", soft_wrap=True)
    console.print("Ctrl-C ends it.")
