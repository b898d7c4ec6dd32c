"""The table of cameras: what one watched stream comes to, and how its line is written."""

import msgspec
from bench.cameras import PEERS, taken
from bench.cells import rows
from bench.records import Report, Taken
from bench.samples import summaries
from bench.watched_stream import Seen, Watched

from penstock.ingest.books import UnitReading

S, MS = 1_000_000_000, 1_000_000
UNITS = UnitReading(
    **dict.fromkeys(UnitReading.__struct_fields__, 0) | {"received": 6, "decoded": 4, "undecodable": 1, "lost": 1}
)
SEEN = (
    Seen(stated_ns=100 * S + 4 * S, claimed_error_ns=10 * S, true_ns=100 * S, received_ns=101 * S),
    Seen(stated_ns=102 * S + 1 * MS, claimed_error_ns=50 * MS, true_ns=102 * S, received_ns=103 * S),
    Seen(stated_ns=103 * S - 3 * MS, claimed_error_ns=50 * MS, true_ns=103 * S, received_ns=104 * S),
    Seen(stated_ns=104 * S + 90 * MS, claimed_error_ns=60 * MS, true_ns=104 * S, received_ns=105 * S),
)
WATCHED = Watched(connect_ns=40 * MS, first_picture_ns=50 * MS, seen=SEEN, units=UNITS, said="")


def test_errors_are_those_of_settled_pictures_and_claims_are_judged_for_all() -> None:
    row = taken(WATCHED)
    assert {name: series.samples for name, series in row.series.items()} == {
        "connects in": [40.0],
        "first picture": [50.0],
        "settled after": [2.0],
        "error p50": [3.0],
        "p95": [90.0],
        "claimed": [50.0],
    }
    assert row.cells == {"within claim": "3 of 4", "books": "6 = 4 + 0 + 1 + 1"}


def test_books_that_do_not_balance_say_so() -> None:
    units = msgspec.structs.replace(UNITS, lost=0)
    assert taken(msgspec.structs.replace(WATCHED, units=units)).cells["books"] == "6 = 4 + 0 + 1 + 0, UNBALANCED by 1"


def test_a_camera_without_a_picture_says_why() -> None:
    row = taken(msgspec.structs.replace(WATCHED, seen=(), said="refused"))
    assert row.series == {}
    assert row.cells["books"].endswith("no picture: refused")


def test_a_picture_that_does_not_tell_its_time_is_within_no_claim() -> None:
    seen = (*SEEN[1:3], msgspec.structs.replace(SEEN[2], true_ns=None))
    assert taken(msgspec.structs.replace(WATCHED, seen=seen)).cells["within claim"] == "2 of 3"


def test_a_line_for_each_variant_also_for_those_that_were_skipped() -> None:
    rounds = [{"a": taken(WATCHED), "b": Taken({}, cells={"books": "skipped: no server"})}]
    report = Report(
        name="cameras", title="t", command="c", quick=False, measured_utc="", revision="", layout="variants",
        summaries=summaries(rounds), rounds=rounds,
    )  # fmt: skip
    head, body = rows(report)
    assert head[:3] == ["variant", "connects in, ms", "first picture, ms"]
    assert head[-2:] == ["within claim", "books"]
    assert body[0][:3] == ["a", "40.0", "50.0"]
    assert body[0][-2:] == ["3 of 4", "6 = 4 + 0 + 1 + 1"]
    assert body[1] == ["b", *[""] * 7, "skipped: no server"]


def test_every_kind_of_camera_is_there() -> None:
    kinds = ("H.264, ", "B-frames", "H.265", "MPEG-4", "MJPEG, ", "HTTP", "HLS", "1 % lost", "TLS", "5 fps", "10 s, c")
    assert all(any(kind in variant for variant in PEERS) for kind in kinds)
