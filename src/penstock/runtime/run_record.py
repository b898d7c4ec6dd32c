"""What the journal says of a run when it begins: where it runs, and what it was told to do, without credentials."""

from penstock import __version__
from penstock.base.redaction import redact
from penstock.contracts.specs import RunSpec
from penstock.store.records import CameraEntry, RuleEntry, RunStarted


def run_started(spec: RunSpec) -> RunStarted:
    return RunStarted(
        run_id=spec.run_id,
        host_id=spec.host_id,
        boot_id=spec.boot_id,
        started_utc_ns=spec.clock.utc_ns,
        software=f"penstock {__version__}",
        cameras=tuple(
            CameraEntry(camera.name, redact(camera.streams[0].url) if camera.streams else "") for camera in spec.cameras
        ),
        rules=tuple(RuleEntry(rule.name, "", rule.when) for rule in spec.rules),
    )
