"""Changes of the capacity plan, and which model on trial a shadow event was decided with."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "plan_changes",
        sa.Column("change_id", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(64), nullable=False),
        sa.Column("utc_ns", sa.BigInteger, nullable=False),
        sa.Column("aspect", sa.String(16), nullable=False),
        sa.Column("before", sa.Text, nullable=False),
        sa.Column("after", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("arithmetic", sa.Text, nullable=False),
        sa.Column("subjects", sa.Text, nullable=False),
        sa.Column("subject_count", sa.Integer, nullable=False),
        sa.Column("left_out", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("change_id", name="pk_plan_changes"),
    )
    op.create_index("ix_plan_changes_utc_ns_change_id", "plan_changes", ["utc_ns", "change_id"])
    op.add_column("events", sa.Column("shadow_model", sa.String(255), nullable=False, server_default=""))
