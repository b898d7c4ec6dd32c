"""The tables of the database, as of the newest migration; all instants are UTC nanoseconds.

Only portable types: BIGINT, TEXT, BOOLEAN. Events carry `run_id` but no foreign key to `runs`: the journal segment
that named the run may have expired, and its events are worth keeping all the same.
"""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("host_id", String(128), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("software", String(64), nullable=False),
    Column("started_utc_ns", BigInteger, nullable=False),
    Column("ended_utc_ns", BigInteger),
    Column("end_reason", Text, nullable=False, default=""),
    Column("rules", Text, nullable=False, default="[]"),
)

cameras = Table(
    "cameras",
    metadata,
    Column("run_id", String(64), ForeignKey("runs.run_id"), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("url", Text, nullable=False),
    Column("spec", Text, nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("event_id", String(64), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("rule", String(255), nullable=False),
    Column("rule_hash", String(64), nullable=False),
    Column("camera", String(255), nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("start_utc_ns", BigInteger, nullable=False),
    Column("confirmed_utc_ns", BigInteger, nullable=False),
    Column("end_utc_ns", BigInteger),
    Column("start_error_ns", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run_id", String(64), nullable=False),
    Column("host_id", String(128), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("lease_epoch", BigInteger, nullable=False),
    Column("frame_seq", BigInteger, nullable=False),
    Column("decided_utc_ns", BigInteger, nullable=False),
    Column("shadow", Boolean(create_constraint=False), nullable=False),
    Column("trace_id", String(64), nullable=False),
    Column("shadow_model", String(255), nullable=False, server_default=""),
    Index(None, "start_utc_ns", "event_id"),
    Index(None, "camera", "start_utc_ns"),
    Index(None, "rule", "start_utc_ns"),
    Index(None, "run_id"),
)

event_revisions = Table(
    "event_revisions",
    metadata,
    Column("event_id", String(64), ForeignKey("events.event_id"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)

evidence = Table(
    "evidence",
    metadata,
    Column("event_id", String(64), ForeignKey("events.event_id"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("reason", Text, nullable=False),
)

plan_changes = Table(
    "plan_changes",
    metadata,
    Column("change_id", String(64), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("utc_ns", BigInteger, nullable=False),
    Column("aspect", String(16), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("arithmetic", Text, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("subject_count", Integer, nullable=False),
    Column("left_out", Integer, nullable=False),
    Index(None, "utc_ns", "change_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("sink", String(255), primary_key=True),
    Column("segment", BigInteger, nullable=False),
    Column("segment_offset", BigInteger, nullable=False),
    Column("delivered", BigInteger, nullable=False),
    Column("updated_utc_ns", BigInteger, nullable=False),
)

journal_cursor = Table(
    "journal_cursor",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("segment", BigInteger, nullable=False),
    Column("segment_offset", BigInteger, nullable=False),
)
