"""A stream's counters in the terms of telemetry; needs no media library, so the supervisor may use it."""

from penstock.ingest import books
from penstock.telemetry.statistics import UnitBook


def unit_book(units: books.UnitReading) -> UnitBook:
    return UnitBook(
        received=units.received,
        decoded=units.decoded,
        skipped=units.skipped,
        undecodable=units.undecodable,
        lost=units.lost,
        kept=units.kept,
        pending=units.in_flight,
    )
