"""One short example for every section, for the reference page. A test loads each of them."""

from penstock.config import camera_schema, schema
from penstock.config.camera_schema import Section

EXAMPLES: dict[type[Section], str] = {
    schema.ConfigFile: """\
data_dir: /var/lib/penstock
cameras:
  front: {url: "rtsp://viewer:${CAM_PASSWORD}@192.0.2.10/stream1"}
rules:
  something_moves: count(motion) >= 1 for 1s
""",
    camera_schema.CameraDefaults: """\
defaults:
  url: rtsp://viewer:${CAM_PASSWORD}@{name}.cameras.example/stream1
  detect: {fps: 4}
  input: {transport: udp}
cameras:
  north: {detect: {priority: 5}}
  south: {input: {transport: null}}    # null: what the program does by itself
""",
    camera_schema.TemplateConfig: """\
templates:
  hall:
    url: rtsp://viewer:${CAM_PASSWORD}@192.0.2.{number}/stream1
    detect: {fps: 2}
  hall_with_door:
    template: hall
    zones: {door: {coordinates: "0.4,0.2,0.6,0.2,0.6,0.9,0.4,0.9"}}
cameras:
  hall_1: {template: hall, values: {number: 11}}
  hall_2: {template: hall_with_door, values: {number: 12}}
""",
    camera_schema.CameraEntry: """\
cameras:
  front:
    inputs:
      - {path: "rtsp://192.0.2.10/sub", roles: [detect]}
      - {path: "rtsp://192.0.2.10/main", roles: [record]}
    models: [motion]
""",
    camera_schema.InputSettings: """\
cameras:
  radio_bridge:
    url: rtsp://192.0.2.10/stream1
    input: {transport: udp, open_timeout: 8s, stall_timeout: 5s}
""",
    camera_schema.InputConfig: """\
cameras:
  archive:
    inputs:
      - path: /videos/monday.mp4
        mode: lossless
""",
    camera_schema.DetectConfig: """\
cameras:
  gate:
    url: rtsp://192.0.2.10/stream1
    detect: {fps: 10, min_fps: 4, budget: 300ms, priority: 10}
  car_park:
    url: rtsp://192.0.2.11/stream1
    detect: {fps: 5, weight: 0.5, decode: auto}      # keyframes only, until something moves
""",
    camera_schema.MotionConfig: """\
cameras:
  garden:
    url: rtsp://192.0.2.10/stream1
    motion: {threshold: 1.5, quiet_interval: 10s}    # leaves that move in the wind
""",
    camera_schema.ZoneConfig: """\
cameras:
  yard:
    url: rtsp://192.0.2.10/stream1
    zones:
      gate: {coordinates: "0.1,0.5, 0.4,0.5, 0.4,1, 0.1,1"}
      ramp: {coordinates: [[0.5, 0.5], [0.9, 0.5], [0.9, 1]]}
""",
    camera_schema.RecordConfig: """\
cameras:
  yard:
    url: rtsp://192.0.2.10/stream1
    record: {pre_capture: 10s, post_capture: 20s, max_clip: 2m}
""",
    camera_schema.SnapshotsConfig: """\
cameras:
  yard:
    url: rtsp://192.0.2.10/stream1
    snapshots: {quality: 75}
""",
    camera_schema.BufferConfig: """\
cameras:
  yard:
    url: rtsp://192.0.2.10/stream1
    buffer: {duration: 30s, size: 64MiB}    # a camera of 4K at 16 Mbit/s
""",
    schema.ModelConfig: """\
models:
  people: {path: yolox_nano.onnx, labels: [person], confidence: 0.35}
  brightness: {kind: python, plugin: "brightness.py:Brightness", parameters: {dark_below: 40}}
  motion: {kind: motion}
  faces: {path: yunet.onnx, requires: {person: 2s}}    # only where a person was seen lately
""",
    schema.ModelDetectConfig: """\
models:
  people: {path: yolox_nano.onnx}
  tables: {path: tables.onnx, detect: {fps: 0.2, budget: 5s, priority: -10}}
""",
    schema.CropConfig: """\
models:
  vehicles: {path: yolox_nano.onnx, labels: [car, truck]}
  colours: {path: colours.onnx, crops: {of: vehicles, labels: [car], limit: 2}}
""",
    schema.RuleConfig: """\
rules:
  somebody: count(person) >= 1 for 1s
  crowd:
    when: count(person) >= 5 for 10s
    cameras: [front]
    cooldown: 1m
    severity: warning
""",
    schema.ExecutorConfig: """\
executors:
  cpu: {streams: 2, hang_timeout: 5s}
""",
    schema.CapacityConfig: """\
capacity: {cores: 3, memory_budget: 2GiB}
""",
    schema.IngestConfig: """\
ingest: {groups: 2}
""",
    schema.MetricsConfig: """\
metrics: {host: 0.0.0.0, port: 9191}
""",
    schema.LoggingConfig: """\
logging: {format: json, level: warning}
""",
    schema.TracingConfig: """\
tracing: {endpoint: "http://collector:4318", sample: 0.05}
""",
}
