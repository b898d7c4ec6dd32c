"""Takes the journal into SQL tables: a batch and the cursor behind it in one transaction, so a replay changes nothing.

SQLite by default, PostgreSQL by address. One process writes. Every failure of the database is a `StoreUnavailable`,
an OSError: whoever feeds it waits and tries again.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, create_engine, insert, select, tuple_, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from penstock.contracts.events import Event
from penstock.store import models as m
from penstock.store.migrate import SchemaTooNew, upgrade
from penstock.store.plan_rows import KEPT_ROWS, apply_plan, newest_plan_changes, prune_plan
from penstock.store.records import EventRecord, JournalRecord, PlanRecord, Position, RunEnded, RunStarted
from penstock.store.rows import apply_event, apply_run, event_of, evidence_of
from penstock.store.sqlite import WRITE_OPTION, configure

_CURSOR = "database"
_PRUNE_EVERY = 1000
"""changes of the plan"""


class StoreUnavailable(OSError):
    """The database cannot be used now; the message says which and why. Never contains its password."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, newest first; `next` continues behind them, None where they were the last."""

    events: tuple[Event, ...]
    next: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class EventHistory:
    """An event as it is, and all revisions that were journalled, oldest first."""

    event: Event
    revisions: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run as the database knows it; `ended_utc_ns` is None while it runs, or where it ended unannounced."""

    run_id: str
    host_id: str
    boot_id: str
    software: str
    started_utc_ns: int
    ended_utc_ns: int | None
    end_reason: str
    cameras: tuple[str, ...]


def sqlite_url(path: Path) -> str:
    """SQLAlchemy's address of an SQLite file."""
    return f"sqlite:///{path.absolute()}"


class EventStore:
    """The database at `url`. `wait_apply` by one thread; queries from any."""

    name = "database"

    def __init__(self, url: str, kept_plan_changes: int = KEPT_ROWS) -> None:
        self._url = url
        self._engine: Engine | None = None
        self._kept_plan_changes = kept_plan_changes
        # Counting the rows costs a walk over their index: done at first, and then every so many.
        self._unpruned = _PRUNE_EVERY

    def start(self) -> None:
        """Connects and brings the tables up to date; raises StoreUnavailable, SchemaTooNew or ValueError (address)."""
        try:
            shown = make_url(self._url).render_as_string(hide_password=True)
        except ArgumentError:
            raise ValueError(
                "database_url is not an address that SQLAlchemy reads; write it like sqlite:////data/penstock.db "
                "or postgresql+psycopg://user@host/penstock"
            ) from None
        try:
            engine = create_engine(self._url, pool_pre_ping=not self._url.startswith("sqlite"))
        except (SQLAlchemyError, ImportError) as error:
            raise ValueError(f"database {shown}: {error}; install its driver or correct the address") from None
        configure(engine)
        self._engine = engine
        try:
            with self._begin(write=True) as connection:
                upgrade(connection)
        except (StoreUnavailable, SchemaTooNew):
            self.stop()
            raise

    def stop(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def wait_cursor(self) -> Position:
        """Where to go on in the journal."""
        if self._engine is None:
            self.start()
        with self._begin() as connection:
            row = connection.execute(
                select(m.journal_cursor.c.segment, m.journal_cursor.c.segment_offset).where(
                    m.journal_cursor.c.name == _CURSOR
                )
            ).first()
        return Position() if row is None else Position(row.segment, row.segment_offset)

    def wait_apply(self, records: Sequence[JournalRecord], position: Position) -> int:
        """Applies a batch and moves the cursor to `position` behind it, all or nothing; raises StoreUnavailable.

        Returns how many revisions of events, shadow ones too, were in it.

        An older revision than the one known is only added to the history; one known already changes nothing.
        """
        unpruned = self._unpruned
        with self._begin(write=True) as connection:
            for record in records:
                if isinstance(record, EventRecord):
                    apply_event(connection, record.event)
                elif isinstance(record, PlanRecord):
                    apply_plan(connection, record)
                    unpruned += 1
                elif isinstance(record, RunStarted):
                    apply_run(connection, record)
                elif isinstance(record, RunEnded):
                    connection.execute(
                        update(m.runs)
                        .where(m.runs.c.run_id == record.run_id)
                        .values(ended_utc_ns=record.ended_utc_ns, end_reason=record.reason)
                    )
            if unpruned > _PRUNE_EVERY:
                prune_plan(connection, self._kept_plan_changes)
                unpruned = 0
            values = {"segment": position.segment, "segment_offset": position.offset}
            changed = connection.execute(
                update(m.journal_cursor).where(m.journal_cursor.c.name == _CURSOR).values(**values)
            )
            if changed.rowcount == 0:
                connection.execute(insert(m.journal_cursor).values(name=_CURSOR, **values))
        self._unpruned = unpruned
        return sum(isinstance(record, EventRecord) for record in records)

    def wait_note_delivery(self, sink: str, position: Position, delivered: int, utc_ns: int) -> None:
        """Notes how far a sink is, for people: the sink's own cursor, which counts, is a file beside the journal."""
        values = {
            "segment": position.segment,
            "segment_offset": position.offset,
            "delivered": delivered,
            "updated_utc_ns": utc_ns,
        }
        with self._begin(write=True) as connection:
            changed = connection.execute(update(m.deliveries).where(m.deliveries.c.sink == sink).values(**values))
            if changed.rowcount == 0:
                connection.execute(insert(m.deliveries).values(sink=sink, **values))

    def wait_events(
        self,
        *,
        camera: str | None = None,
        rule: str | None = None,
        from_utc_ns: int | None = None,
        until_utc_ns: int | None = None,
        after: tuple[int, str] | None = None,
        limit: int = 100,
    ) -> EventPage:
        """Events that start in [from, until), newest first, at most `limit`; `after` is the `next` of a page before."""
        c = m.events.c
        query = select(m.events).order_by(c.start_utc_ns.desc(), c.event_id.desc()).limit(limit + 1)
        if camera is not None:
            query = query.where(c.camera == camera)
        if rule is not None:
            query = query.where(c.rule == rule)
        if from_utc_ns is not None:
            query = query.where(c.start_utc_ns >= from_utc_ns)
        if until_utc_ns is not None:
            query = query.where(c.start_utc_ns < until_utc_ns)
        if after is not None:
            query = query.where(tuple_(c.start_utc_ns, c.event_id) < tuple_(*after))
        with self._begin() as connection:
            rows = connection.execute(query).mappings().all()
            shown = rows[:limit]
            pieces = evidence_of(connection, [row["event_id"] for row in shown])
        found = tuple(event_of(dict(row), pieces.get(row["event_id"], ())) for row in shown)
        more = len(rows) > limit and bool(found)
        return EventPage(found, (found[-1].start_utc_ns, found[-1].event_id) if more else None)

    def wait_event(self, event_id: str) -> EventHistory | None:
        """One event with its revisions; None where there is none of that id."""
        with self._begin() as connection:
            row = connection.execute(select(m.events).where(m.events.c.event_id == event_id)).mappings().first()
            if row is None:
                return None
            pieces = evidence_of(connection, [event_id])
            bodies = connection.execute(
                select(m.event_revisions.c.body)
                .where(m.event_revisions.c.event_id == event_id)
                .order_by(m.event_revisions.c.revision)
            ).scalars()
            revisions = tuple(msgspec.json.decode(body, type=Event) for body in bodies)
        return EventHistory(event_of(dict(row), pieces.get(event_id, ())), revisions)

    def wait_plan_changes(self, limit: int = 100) -> tuple[PlanRecord, ...]:
        """Changes of the capacity plan, newest first, of all runs; their `at_ns` is 0, for it means nothing later."""
        with self._begin() as connection:
            return newest_plan_changes(connection, limit)

    def wait_runs(self, limit: int = 100) -> tuple[RunEntry, ...]:
        """Runs, newest first."""
        with self._begin() as connection:
            rows = connection.execute(
                select(m.runs).order_by(m.runs.c.started_utc_ns.desc(), m.runs.c.run_id.desc()).limit(limit)
            ).all()
            named: dict[str, list[str]] = {row.run_id: [] for row in rows}
            for run_id, camera in connection.execute(
                select(m.cameras.c.run_id, m.cameras.c.name)
                .where(m.cameras.c.run_id.in_(named))
                .order_by(m.cameras.c.name)
            ):
                named[run_id].append(camera)
        return tuple(
            RunEntry(
                run_id=row.run_id,
                host_id=row.host_id,
                boot_id=row.boot_id,
                software=row.software,
                started_utc_ns=row.started_utc_ns,
                ended_utc_ns=row.ended_utc_ns,
                end_reason=row.end_reason,
                cameras=tuple(named[row.run_id]),
            )
            for row in rows
        )

    @contextlib.contextmanager
    def _begin(self, write: bool = False) -> Iterator[Connection]:
        if self._engine is None:
            raise StoreUnavailable("the database is not connected")
        try:
            with self._engine.connect() as plain:
                connection = plain.execution_options(**{WRITE_OPTION: write})
                with connection.begin():
                    yield connection
        except SQLAlchemyError as error:
            shown = self._engine.url.render_as_string(hide_password=True)
            cause = getattr(error, "orig", None) or error
            raise StoreUnavailable(f"database {shown}: {cause}") from error
