"""Runs, cameras, events with their revisions and evidence, deliveries, and the journal's cursor."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("host_id", sa.String(128), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("software", sa.String(64), nullable=False),
        sa.Column("started_utc_ns", sa.BigInteger, nullable=False),
        sa.Column("ended_utc_ns", sa.BigInteger),
        sa.Column("end_reason", sa.Text, nullable=False),
        sa.Column("rules", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )
    op.create_table(
        "cameras",
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_cameras"),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_cameras_run_id"),
    )
    op.create_table(
        "events",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("rule", sa.String(255), nullable=False),
        sa.Column("rule_hash", sa.String(64), nullable=False),
        sa.Column("camera", sa.String(255), nullable=False),
        sa.Column("session", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("start_utc_ns", sa.BigInteger, nullable=False),
        sa.Column("confirmed_utc_ns", sa.BigInteger, nullable=False),
        sa.Column("end_utc_ns", sa.BigInteger),
        sa.Column("start_error_ns", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("host_id", sa.String(128), nullable=False),
        sa.Column("boot_id", sa.String(64), nullable=False),
        sa.Column("lease_epoch", sa.BigInteger, nullable=False),
        sa.Column("frame_seq", sa.BigInteger, nullable=False),
        sa.Column("decided_utc_ns", sa.BigInteger, nullable=False),
        sa.Column("shadow", sa.Boolean, nullable=False),
        sa.Column("trace_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_events"),
    )
    op.create_index("ix_events_start_utc_ns_event_id", "events", ["start_utc_ns", "event_id"])
    op.create_index("ix_events_camera_start_utc_ns", "events", ["camera", "start_utc_ns"])
    op.create_index("ix_events_rule_start_utc_ns", "events", ["rule", "start_utc_ns"])
    op.create_index("ix_events_run_id", "events", ["run_id"])
    op.create_table(
        "event_revisions",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "revision", name="pk_event_revisions"),
        sa.ForeignKeyConstraint(["event_id"], ["events.event_id"], name="fk_event_revisions_event_id"),
    )
    op.create_table(
        "evidence",
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("manifest", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "place", name="pk_evidence"),
        sa.ForeignKeyConstraint(["event_id"], ["events.event_id"], name="fk_evidence_event_id"),
    )
    op.create_table(
        "deliveries",
        sa.Column("sink", sa.String(255), nullable=False),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("segment_offset", sa.BigInteger, nullable=False),
        sa.Column("delivered", sa.BigInteger, nullable=False),
        sa.Column("updated_utc_ns", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("sink", name="pk_deliveries"),
    )
    op.create_table(
        "journal_cursor",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("segment", sa.BigInteger, nullable=False),
        sa.Column("segment_offset", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_journal_cursor"),
    )
