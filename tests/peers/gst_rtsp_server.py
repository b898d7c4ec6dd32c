"""An RTSP server of another make (gst-rtsp-server), told what to serve by JSON lines on its standard input.

Run by the system's Python, which has the GObject bindings; it imports nothing of this project. Each mount has one
producer for the whole life of the process, as a camera has one encoder: clients come and go, its clock does not.
Encoded access units go through `appsrc` with their capture instant as timestamp, so that RTP time is capture time
and RTCP sender reports are true. Every command is answered by one JSON line on standard output.
"""

import collections
import contextlib
import json
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstApp, GstRtsp, GstRtspServer  # noqa: E402, F401

BLOCK_PX = 16
BITS = 72
COLUMNS = 24
PAST_NS = 60 * 1_000_000_000
PAYLOADERS = {
    "video/x-h264": "rtph264pay name=pay0 pt=96 config-interval=-1",
    "video/x-h265": "rtph265pay name=pay0 pt=96 config-interval=-1",
    "video/mpeg": "rtpmp4vpay name=pay0 pt=96 config-interval=1",
    "image/jpeg": "rtpjpegpay name=pay0 pt=26",
}


class AccessUnit:
    """One encoded picture; `pts_ns` and `due_ns` are instants on CLOCK_MONOTONIC."""

    def __init__(self, data, pts_ns, keyframe):
        self.data = data
        self.pts_ns = pts_ns
        self.keyframe = keyframe


class Mount:
    """What one path serves: its clients' `appsrc`s, its cached GOP, and whether it is stalled."""

    def __init__(self, cached_gop, loss=0.0):
        self.caps = None
        self.loss = loss
        self.cached_gop = cached_gop
        self.stalled = False
        self.lock = threading.Lock()
        self.clients = []
        self.gop = collections.deque(maxlen=1000)

    def publish(self, unit):
        """Hands one access unit to every client, unless stalled: a stalled camera sends nothing at all."""
        with self.lock:
            if unit.keyframe:
                self.gop.clear()
            self.gop.append(unit)
            if self.stalled:
                return
            self.clients = [client for client in self.clients if not client.gone]
            for client in self.clients:
                client.push(unit)

    def attach(self, client):
        with self.lock:
            if self.cached_gop:
                for unit in self.gop:
                    client.push(unit)
            self.clients.append(client)


class Client:
    """One connection. RTP time 0 lies `PAST_NS` before it, so that older pictures have a time too."""

    def __init__(self, mount, appsrc, pipeline):
        self.mount = mount
        self.appsrc = appsrc
        # GStreamer's clock is CLOCK_MONOTONIC: with this, RTP time and RTCP reports are those of the capture.
        self.base_ns = time.monotonic_ns() - PAST_NS
        pipeline.set_start_time(Gst.CLOCK_TIME_NONE)
        pipeline.set_base_time(self.base_ns)
        self.started = False
        self.gone = False
        appsrc.connect("need-data", self.start)

    def start(self, _appsrc, _length):
        if not self.started:
            self.started = True
            self.mount.attach(self)

    def leave(self, _media):
        self.gone = True

    def push(self, unit):
        pts_ns = unit.pts_ns - self.base_ns
        if self.gone or pts_ns < 0:
            return
        buffer = Gst.Buffer.new_wrapped(unit.data)
        buffer.pts = pts_ns
        if not unit.keyframe:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        self.appsrc.emit("push-buffer", buffer)


def wait_until(instant_ns):
    rest_ns = instant_ns - time.monotonic_ns()
    if rest_ns > 0:
        time.sleep(rest_ns / 1e9)


class FileProducer(threading.Thread):
    """Plays the access units of a file at their true rate, round and round."""

    def __init__(self, mount, path):
        super().__init__(daemon=True)
        self.mount = mount
        self.units, caps = read_access_units(path)
        mount.caps = caps
        self.epoch_ns = 0
        self.began = threading.Event()

    def run(self):
        times = sorted(unit.pts_ns for unit in self.units)
        step_ns = (times[-1] - times[0]) // max(1, len(times) - 1)
        length_ns = times[-1] - times[0] + step_ns
        # Decode order must never overtake presentation: the n-th access unit is due when the n-th picture is.
        late_ns = max(times[n] - unit.pts_ns for n, unit in enumerate(self.units))
        early_ns = max(unit.pts_ns - times[n] for n, unit in enumerate(self.units))
        start_ns = self.epoch_ns = time.monotonic_ns() + max(0, late_ns)
        self.began.set()
        while True:
            for n, unit in enumerate(self.units):
                capture_ns = start_ns + unit.pts_ns - times[0]
                wait_until(start_ns + times[n] - times[0] + early_ns)
                self.mount.publish(AccessUnit(unit.data, capture_ns, unit.keyframe))
            start_ns += length_ns


def repeat_parameter_sets(_parsebin, element):
    if element.get_factory() is not None and element.get_factory().get_name() in ("h264parse", "h265parse"):
        element.set_property("config-interval", -1)


def read_access_units(path):
    """Every access unit of the video in `path`, in decode order, as its payloader wants it."""
    pipeline = Gst.parse_launch("filesrc name=file ! parsebin name=parse ! appsink name=sink sync=false max-buffers=0")
    pipeline.get_by_name("file").set_property("location", path)
    # An MP4 holds its parameter sets once, apart from the pictures; a camera sends them with every keyframe.
    pipeline.get_by_name("parse").connect("element-added", repeat_parameter_sets)
    sink = pipeline.get_by_name("sink")
    sink.set_property(
        "caps",
        Gst.Caps.from_string(
            "video/x-h264, stream-format=byte-stream, alignment=au; video/x-h265, stream-format=byte-stream, "
            "alignment=au; video/mpeg, mpegversion=4, systemstream=false, parsed=true"
        ),
    )
    pipeline.set_state(Gst.State.PLAYING)
    units = []
    caps = None
    while True:
        sample = sink.emit("try-pull-sample", 5 * Gst.SECOND)
        if sample is None:
            break
        buffer = sample.get_buffer()
        caps = sample.get_caps().to_string()
        data = buffer.extract_dup(0, buffer.get_size())
        pts_ns = buffer.pts if buffer.pts != Gst.CLOCK_TIME_NONE else buffer.dts
        units.append(AccessUnit(data, pts_ns, not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)))
    pipeline.set_state(Gst.State.NULL)
    if not units:
        raise ValueError(f"no video could be read from {path}")
    return units, caps


class TimecodeProducer(threading.Thread):
    """Draws the instant of capture into each picture, encodes it, and stamps it with the same instant.

    72 blocks of 16×16 pixels, 24 to a row, top left first: 64 bits of CLOCK_MONOTONIC in nanoseconds, most
    significant first, then their checksum (the sum of the eight bytes, modulo 256). White is one, black is zero.
    """

    def __init__(self, mount, fps, bframes, gop_frames, width, height, codec):
        super().__init__(daemon=True)
        if width < COLUMNS * BLOCK_PX or height < 4 * BLOCK_PX:
            raise ValueError(f"a timecode needs {COLUMNS * BLOCK_PX}x{4 * BLOCK_PX} pixels, not {width}x{height}")
        self.mount = mount
        self.fps = fps
        self.width = width
        self.height = height
        encoder = {
            "h264": f"x264enc speed-preset=ultrafast bitrate=1500 bframes={bframes} b-adapt=false "
            f"key-int-max={gop_frames} rc-lookahead=0 sync-lookahead=0 sliced-threads=true threads=1 "
            "option-string=scenecut=0:force-cfr=1 ! "
            "video/x-h264, profile=main, stream-format=byte-stream, alignment=au",
            "h265": f"x265enc speed-preset=ultrafast bitrate=1500 key-int-max={gop_frames} tune=zerolatency "
            "option-string=scenecut=0:frame-threads=1:pools=1:log-level=none ! h265parse config-interval=-1 ! "
            "video/x-h265, stream-format=byte-stream, alignment=au",
            "jpeg": "jpegenc ! image/jpeg",
        }[codec]
        self.pipeline = Gst.parse_launch(
            f"appsrc name=raw is-live=true format=time max-buffers=4 ! video/x-raw, format=I420, width={width}, "
            f"height={height}, framerate={fps}/1 ! {encoder} ! appsink name=coded sync=false max-buffers=0"
        )
        self.raw = self.pipeline.get_by_name("raw")
        self.coded = self.pipeline.get_by_name("coded")
        self.first_capture_ns = 0
        self.pipeline.set_state(Gst.State.PLAYING)
        self.ready = threading.Event()
        threading.Thread(target=self.take_coded, daemon=True).start()

    def run(self):
        start_ns = time.monotonic_ns()
        n = 0
        while True:
            wait_until(start_ns + n * 1_000_000_000 // self.fps)
            capture_ns = time.monotonic_ns()
            buffer = Gst.Buffer.new_wrapped(self.draw(capture_ns, n))
            buffer.pts = capture_ns
            self.first_capture_ns = self.first_capture_ns or capture_ns
            buffer.duration = Gst.SECOND // self.fps
            self.raw.emit("push-buffer", buffer)
            n += 1

    def take_coded(self):
        shift_ns = None
        while True:
            sample = self.coded.emit("pull-sample")
            if sample is None:
                return
            buffer = sample.get_buffer()
            if self.mount.caps is None:
                self.mount.caps = sample.get_caps().to_string()
                self.ready.set()
            data = buffer.extract_dup(0, buffer.get_size())
            keyframe = not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)
            # x264enc shifts timestamps by a constant, so that decode times stay positive; picture 0 comes out first.
            if shift_ns is None:
                shift_ns = buffer.pts - self.first_capture_ns
            self.mount.publish(AccessUnit(data, buffer.pts - shift_ns, keyframe))

    def draw(self, capture_ns, n):
        word = capture_ns.to_bytes(8, "big")
        bits = f"{int.from_bytes(word, 'big'):064b}{sum(word) % 256:08b}"
        white, black, grey = b"\xeb" * BLOCK_PX, b"\x10" * BLOCK_PX, b"\x60"
        rest = grey * (self.width - COLUMNS * BLOCK_PX)
        rows = []
        for first in range(0, BITS, COLUMNS):
            line = b"".join(white if bit == "1" else black for bit in bits[first : first + COLUMNS]) + rest
            rows.append(line * BLOCK_PX)
        left = self.height - len(rows) * BLOCK_PX
        # A bar that moves, so that the picture is not still below the timecode.
        x = (n * 7) % (self.width - 32)
        rows.append((grey * x + b"\xc0" * 32 + grey * (self.width - 32 - x)) * left)
        rows.append(b"\x80" * (self.width * self.height // 2))
        return b"".join(rows)


class Factory(GstRtspServer.RTSPMediaFactory):
    """Makes one media per client: an `appsrc` that the mount's producer feeds."""

    def __init__(self, mount):
        super().__init__()
        self.mount = mount
        kind = Gst.Caps.from_string(mount.caps).get_structure(0).get_name()
        payloader = PAYLOADERS[kind]
        if mount.loss:
            # After the payloader, so that whole RTP packets go missing, their sequence numbers with them.
            payloader = payloader.replace("name=pay0 ", "") + f" ! identity name=pay0 drop-probability={mount.loss}"
        self.set_launch(
            f"( appsrc name=source is-live=true format=time do-timestamp=false block=false max-bytes=0 ! {payloader} )"
        )
        self.connect("media-configure", self.configure)

    def configure(self, _factory, media):
        element = media.get_element()
        appsrc = element.get_by_name("source")
        appsrc.set_property("caps", Gst.Caps.from_string(self.mount.caps))
        pipeline = element
        while pipeline.get_parent() is not None:
            pipeline = pipeline.get_parent()
        media.connect("unprepared", Client(self.mount, appsrc, pipeline).leave)


class Server:
    """The RTSP server and its mounts; commands come in on the main loop's thread."""

    def __init__(self, port, user, password, auth, certificate, key):
        self.rtsp = GstRtspServer.RTSPServer()
        self.rtsp.set_address("127.0.0.1")
        self.rtsp.set_service(str(port))
        self.user = user
        self.mounts = {}
        self.restricted = bool(user or certificate)
        if self.restricted:
            authority = self.make_auth(user, password, auth)
            if certificate:
                authority.set_tls_certificate(Gio.TlsCertificate.new_from_files(certificate, key))
            self.rtsp.set_auth(authority)

    @staticmethod
    def make_auth(user, password, auth):
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        authority = GstRtspServer.RTSPAuth()
        if not user:
            authority.set_default_token(token)
        elif auth == "digest":
            authority.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            authority.add_digest(user, password, token)
        else:
            authority.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        return authority

    def add(self, command):
        mount = Mount(command.get("cached_gop", False), command.get("loss", 0.0))
        if command["do"] == "add_file":
            producer = FileProducer(mount, command["path"])
            producer.start()
            producer.began.wait(10)
        else:
            producer = TimecodeProducer(
                mount,
                command["fps"],
                command["bframes"],
                command["gop_frames"],
                command["width"],
                command["height"],
                command["codec"],
            )
            producer.start()
            if not producer.ready.wait(10):
                raise ValueError("the encoder gave no picture within 10 s")
        factory = Factory(mount)
        if self.restricted:
            permissions = GstRtspServer.RTSPPermissions()
            permissions.add_role("viewer")
            permissions.add_permission_for_role("viewer", "media.factory.access", True)
            permissions.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(permissions)
        self.mounts[command["name"]] = mount
        self.rtsp.get_mount_points().add_factory("/" + command["name"], factory)
        return {"epoch_ns": getattr(producer, "epoch_ns", 0)}

    def take(self, command):
        if command["do"] in ("add_file", "add_timecode"):
            return self.add(command)
        if command["do"] == "stall":
            self.mounts[command["name"]].stalled = command["on"]
        else:
            raise ValueError(f"unknown command {command['do']!r}")
        return {}


def read_commands(server, loop):
    for line in sys.stdin:
        try:
            answer = {"ok": True, **server.take(json.loads(line))}
        except Exception as error:
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    # The launcher has gone: nobody is left to serve.
    GLib.idle_add(loop.quit)


def main():
    options = json.loads(sys.argv[1])
    Gst.init(None)
    server = Server(
        options["port"],
        options["user"],
        options["password"],
        options["auth"],
        options.get("certificate", ""),
        options.get("key", ""),
    )
    if not server.rtsp.attach(None):
        print(json.dumps({"ok": False, "error": f"port {options['port']} is in use"}), flush=True)
        return 1
    loop = GLib.MainLoop()
    threading.Thread(target=read_commands, args=(server, loop), daemon=True).start()
    print(json.dumps({"ok": True, "port": server.rtsp.get_bound_port()}), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
