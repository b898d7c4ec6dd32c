"""Records into rows and back. Portable SQL only: with one writer, look-then-write inside a transaction is an upsert."""

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from penstock.contracts.events import Event, Evidence
from penstock.store import models as m
from penstock.store.records import RunStarted


def apply_event(connection: Connection, event: Event) -> None:
    """Adds a revision to the history, and makes it the event's row where it is the newest."""
    c = m.events.c
    known = connection.execute(select(c.revision).where(c.event_id == event.event_id)).scalar()
    if known is None:
        connection.execute(insert(m.events).values(**_columns_of(event)))
    elif event.revision > known:
        connection.execute(update(m.events).where(c.event_id == event.event_id).values(**_columns_of(event)))
    r = m.event_revisions.c
    same = (r.event_id == event.event_id) & (r.revision == event.revision)
    if connection.execute(select(r.revision).where(same)).first() is None:
        body = msgspec.json.encode(event).decode()
        connection.execute(
            insert(m.event_revisions).values(event_id=event.event_id, revision=event.revision, body=body)
        )
    if known is None or event.revision > known:
        connection.execute(delete(m.evidence).where(m.evidence.c.event_id == event.event_id))
        rows = [
            {"event_id": event.event_id, "place": place, **msgspec.structs.asdict(piece)}
            for place, piece in enumerate(event.evidence)
        ]
        if rows:
            connection.execute(insert(m.evidence), rows)


def apply_run(connection: Connection, run: RunStarted) -> None:
    """Adds a run with its cameras, unless it is known."""
    if connection.execute(select(m.runs.c.run_id).where(m.runs.c.run_id == run.run_id)).first() is not None:
        return
    connection.execute(
        insert(m.runs).values(
            run_id=run.run_id,
            host_id=run.host_id,
            boot_id=run.boot_id,
            software=run.software,
            started_utc_ns=run.started_utc_ns,
            end_reason="",
            rules=msgspec.json.encode(run.rules).decode(),
        )
    )
    rows = [{"run_id": run.run_id, "name": c.name, "url": c.url, "spec": c.spec} for c in run.cameras]
    if rows:
        connection.execute(insert(m.cameras), rows)


def _columns_of(event: Event) -> dict[str, object]:
    values = msgspec.structs.asdict(event)
    del values["evidence"]
    values["reason"] = msgspec.json.encode(event.reason).decode()
    return values


def event_of(row: dict[str, object], pieces: tuple[Evidence, ...]) -> Event:
    """The event of a row of `events` with its evidence."""
    # SQLAlchemy's column names are a subclass of str, which msgspec does not take for one.
    values = {str(name): value for name, value in row.items()}
    values["reason"] = msgspec.json.decode(str(row["reason"]))
    return msgspec.convert({**values, "evidence": pieces}, type=Event)


def evidence_of(connection: Connection, event_ids: list[str]) -> dict[str, tuple[Evidence, ...]]:
    """The evidence of several events by id, in order; events without any are left out."""
    c = m.evidence.c
    rows = connection.execute(select(m.evidence).where(c.event_id.in_(event_ids)).order_by(c.event_id, c.place))
    found: dict[str, tuple[Evidence, ...]] = {}
    for row in rows.mappings():
        values = {str(k): v for k, v in row.items() if k not in ("event_id", "place")}
        found[row["event_id"]] = (*found.get(row["event_id"], ()), msgspec.convert(values, type=Evidence))
    return found
