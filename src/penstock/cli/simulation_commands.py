"""Arguments of `penstock simulate` and `penstock demo`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Setting(StrEnum):
    STREET = "street"
    YARD = "yard"
    CORRIDOR = "corridor"
    CAR_PARK = "car_park"


class FilmCodec(StrEnum):
    H264 = "h264"
    HEVC = "hevc"
    MPEG4 = "mpeg4"
    MJPEG = "mjpeg"


class Scheme(StrEnum):
    ANY = "any"
    DIGEST = "digest"
    BASIC = "basic"


def simulate(
    cameras: Annotated[int, typer.Option("--cameras", "-n", min=1, max=256, help="How many.")] = 4,
    setting: Annotated[
        list[Setting] | None, typer.Option("--setting", help="What they show, in turn; repeatable.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", help="Serve this video as it is encoded; repeatable.", metavar="FILE"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other people and vehicles.")] = 1,
    loop: Annotated[str, typer.Option(help="Length of the drawn loop.", metavar="TIME")] = "40s",
    busy: Annotated[float, typer.Option(min=0, max=3, help="How much happens.")] = 1.0,
    timecode: Annotated[bool, typer.Option("--timecode", help="Draw each picture's number into it.")] = False,
    codec: Annotated[FilmCodec, typer.Option(help="Of both streams.")] = FilmCodec.H264,
    size: Annotated[str, typer.Option(help="Of the main stream.", metavar="WxH")] = "640x360",
    fps: Annotated[int, typer.Option(min=1, max=60, help="Of the main stream.")] = 25,
    gop: Annotated[int, typer.Option(min=1, max=1000, help="Pictures from keyframe to keyframe.")] = 50,
    b_frames: Annotated[int, typer.Option("--b-frames", min=0, max=16, help="B-frames in a row.")] = 0,
    kbps: Annotated[int | None, typer.Option(min=10, help="Constant bit rate; left out, constant quality.")] = None,
    sub: Annotated[bool, typer.Option("--sub/--no-sub", help="A sub-stream of 320x180 beside each.")] = True,
    sub_fps: Annotated[int, typer.Option(min=1, max=60, help="Of the sub-stream.")] = 10,
    cached_gop: Annotated[
        bool, typer.Option("--cached-gop", help="New viewers get the pictures since the last keyframe first.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes any.")] = 8554,
    user: Annotated[str, typer.Option(help="Ask viewers for this user name.")] = "",
    password: Annotated[str, typer.Option(help="And for this password.")] = "",
    auth: Annotated[Scheme, typer.Option(help="How they are asked.")] = Scheme.ANY,
    tls_cert: Annotated[Path | None, typer.Option(help="Serve rtsps:// with this certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, where it is in another file.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault",
            help="Such as street:loss=1%, or street:stall@10s+5s for 5 s from 10 s on; kinds: stall, down, loss=1%, "
            "corrupt=1%, codec=hevc, size=320x240; repeatable.",
            metavar="FAULT",
        ),
    ] = None,
    films: Annotated[Path | None, typer.Option(help="Folder of drawn films, kept for the next time.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="End by itself after this long.", metavar="TIME")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON line when the cameras can be connected to.")] = False,
) -> None:
    """Serve simulated cameras over RTSP: drawn scenes by seed, or video files, with faults on demand."""
    from penstock.cli.simulate_command import SimulateOptions, simulate_command  # noqa: PLC0415

    options = SimulateOptions(
        cameras=cameras,
        settings=tuple(one.value for one in setting or ()),
        files=tuple(file or ()),
        seed=seed,
        loop_text=loop,
        busy=busy,
        timecode=timecode,
        codec=codec.value,
        size=size,
        fps=fps,
        gop=gop,
        b_frames=b_frames,
        kbps=kbps,
        sub=sub,
        sub_fps=sub_fps,
        cached_gop=cached_gop,
        host=host,
        port=port,
        user=user,
        password=password,
        auth=auth.value,
        tls_cert=tls_cert,
        tls_key=tls_key,
        faults=tuple(fault or ()),
        films=films,
        for_text=for_,
        json=json,
    )
    raise typer.Exit(simulate_command(options))


def demo(
    cameras: Annotated[int, typer.Option("--cameras", "-n", min=1, max=64, help="How many.")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other people and vehicles.")] = 1,
    for_: Annotated[
        str | None, typer.Option("--for", help="End by itself after this long, such as 60s.", metavar="TIME")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report of the run here.", metavar="FILE.json")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder of events, clips and films.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port of /metrics and /health; 0 takes any.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No live table and no summary.")] = False,
) -> None:
    """See it at work without a camera: simulated cameras over RTSP, a small detector, three rules, clips.

    What it confirms is compared with what was drawn. Its configuration is written to DATA_DIR/demo.yaml.
    """
    from penstock.cli.demo_command import DemoOptions, demo_command  # noqa: PLC0415

    options = DemoOptions(
        cameras=cameras,
        seed=seed,
        for_text=for_,
        report=report,
        data_dir=data_dir,
        metrics_port=metrics_port,
        quiet=quiet,
    )
    raise typer.Exit(demo_command(options))
