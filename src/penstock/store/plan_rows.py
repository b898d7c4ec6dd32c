"""Plan changes into rows and back, and no more of them than are worth keeping."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select

from penstock.contracts.capacity import PlanChange
from penstock.store import models as m
from penstock.store.records import PlanRecord

KEPT_ROWS = 100_000
KEPT_NS = 30 * 86_400 * 1_000_000_000


def apply_plan(connection: Connection, record: PlanRecord) -> None:
    """Adds a change, unless it is known."""
    c, change = m.plan_changes.c, record.change
    identity = hashlib.sha256(msgspec.json.encode(record)).hexdigest()[:32]
    if connection.execute(select(c.change_id).where(c.change_id == identity)).first() is not None:
        return
    connection.execute(
        insert(m.plan_changes).values(
            change_id=identity,
            run_id=record.run_id,
            utc_ns=record.utc_ns,
            aspect=change.aspect,
            before=change.before,
            after=change.after,
            why=change.why,
            arithmetic=change.arithmetic,
            subjects=msgspec.json.encode(record.subjects).decode(),
            subject_count=len(record.subjects),
            left_out=record.left_out,
        )
    )


def prune_plan(connection: Connection, kept_rows: int = KEPT_ROWS, kept_ns: int = KEPT_NS) -> None:
    """Removes changes that are 30 days older than the newest, or that 100,000 newer ones have come after."""
    c = m.plan_changes.c
    newest_ns = connection.execute(select(func.max(c.utc_ns))).scalar()
    if newest_ns is None:
        return
    connection.execute(delete(m.plan_changes).where(c.utc_ns < newest_ns - kept_ns))
    order = (c.utc_ns.desc(), c.change_id.desc())
    first_gone = connection.execute(select(c.utc_ns, c.change_id).order_by(*order).offset(kept_rows).limit(1)).first()
    if first_gone is not None:
        older = (c.utc_ns < first_gone.utc_ns) | (
            (c.utc_ns == first_gone.utc_ns) & (c.change_id <= first_gone.change_id)
        )
        connection.execute(delete(m.plan_changes).where(older))


def newest_plan_changes(connection: Connection, limit: int) -> tuple[PlanRecord, ...]:
    """Changes, newest first; their monotonic instants are not kept: `at_ns` is 0."""
    c = m.plan_changes.c
    rows = connection.execute(select(m.plan_changes).order_by(c.utc_ns.desc(), c.change_id.desc()).limit(limit))
    return tuple(_record_of(row._mapping) for row in rows)


def _record_of(row: Mapping[Any, Any]) -> PlanRecord:
    subjects = msgspec.json.decode(row["subjects"], type=tuple[str, ...])
    return PlanRecord(
        run_id=row["run_id"],
        utc_ns=row["utc_ns"],
        change=PlanChange(
            at_ns=0,
            subject=subjects[0] if subjects else "",
            aspect=row["aspect"],
            before=row["before"],
            after=row["after"],
            why=row["why"],
            arithmetic=row["arithmetic"],
        ),
        subjects=subjects,
        left_out=row["left_out"],
    )
