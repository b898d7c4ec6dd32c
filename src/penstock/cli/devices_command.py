"""`penstock devices`: the cameras at this host and what they can do, or what to check where there are none."""

import os
from pathlib import Path

from rich.console import Console
from rich.text import Text

from penstock.sources.v4l2_devices import DeviceFormat, DeviceSize, VideoDevice, list_devices

_FOLDER = Path("/dev")


def devices_command(console: Console | None = None, folder: Path = _FOLDER) -> int:
    """Prints every device; 0 also where there is none."""
    shown = console or Console(highlight=False)
    found = list_devices(folder)
    for device in found:
        for line in lines(device):
            shown.print(Text(line), soft_wrap=True)
    if not found:
        for line in none_found(folder):
            shown.print(Text(line), soft_wrap=True)
    return 0


def lines(device: VideoDevice) -> list[str]:
    """What is known of one device."""
    if device.problem:
        return [f"{device.path}  cannot be asked: {device.problem}. {advice(device.path)}"]
    told = [f"{device.path}  {device.name}  (driver {device.driver}, {device.bus})"]
    for form in device.formats:
        usable = f"input_format: {form.input_format}" if form.input_format else "not usable here"
        told.append(f"  {form.fourcc}  {form.description}  ({usable})")
        told += [f"    {_size(size)}" for size in form.sizes]
    best = _suggested(device.formats)
    if best is not None:
        told.append(f"  try: penstock probe 'v4l2://{device.path}?{best}'")
    return told


def advice(path: str) -> str:
    """What to do where a device cannot be opened."""
    if os.access(path, os.R_OK | os.W_OK):
        return "Is another program using it?"
    return "Add this user to the group video (`sudo usermod -aG video $USER`) and log in again"


def none_found(folder: Path) -> list[str]:
    """That there are no devices, and what to check."""
    return [
        f"No cameras: there is no {folder}/video*.",
        "Check that it is plugged in (`lsusb` lists it) and its driver loaded (`lsmod | grep uvcvideo`); in a",
        "container or a virtual machine, that the device is passed through (docker: `--device /dev/video0`).",
        "Cameras in the network are no devices: give their address, such as rtsp://…, to `penstock probe`.",
    ]


def _size(size: DeviceSize) -> str:
    text = f"{size.width_px}x{size.height_px}"
    if size.largest is not None:
        text += f" to {size.largest[0]}x{size.largest[1]}"
    rates = ", ".join(f"{rate:g}" for rate in size.rates_fps)
    return f"{text}  {rates} fps" if rates else text


def _suggested(formats: tuple[DeviceFormat, ...]) -> str | None:
    for form in formats:
        for size in form.sizes:
            if form.input_format and size.largest is None:
                return f"input_format={form.input_format}&video_size={size.width_px}x{size.height_px}"
    return None
