"""Times of a file that is read round and round."""

from hypothesis import given
from hypothesis import strategies as st

from penstock.sources.file_timeline import Timeline
from penstock.sources.media_file import path_of

MS = 1_000_000


def test_paths() -> None:
    assert path_of("/videos/a.mp4") == "/videos/a.mp4"
    assert path_of("file:///videos/a%20b.mp4") == "/videos/a b.mp4"
    assert path_of("relative/a.mp4") == "relative/a.mp4"


def test_the_second_round_continues_the_first() -> None:
    line = Timeline((1, 1000), fps=25)
    assert [line.place(pts, pts, 40) for pts in (80, 120, 160)] == [
        (80, 80, 0, 0),
        (120, 120, 40 * MS, 40 * MS),
        (160, 160, 80 * MS, 80 * MS),
    ]
    line.start_over()
    assert [line.place(pts, pts, 40) for pts in (80, 120)] == [
        (200, 200, 120 * MS, 120 * MS),
        (240, 240, 160 * MS, 160 * MS),
    ]


def test_without_any_time_pictures_follow_at_the_declared_rate() -> None:
    line = Timeline((1, 1000), fps=10)
    assert [line.place(None, None, 0)[2] for _ in range(3)] == [0, 100 * MS, 200 * MS]
    line.start_over()
    assert line.place(None, None, 0)[2] == 300 * MS


def test_decode_times_alone_are_enough() -> None:
    line = Timeline((1, 1000), fps=10)
    assert [line.place(None, dts, 0) for dts in (5, 105)] == [(None, 5, 0, 0), (None, 105, 100 * MS, 100 * MS)]


@given(
    st.integers(1, 60),
    st.integers(-1000, 1000),
    st.integers(0, 4),
    st.integers(2, 5),
    st.sampled_from([(1, 90_000), (1, 12_800), (1, 25)]),
)
def test_decode_times_grow_over_every_seam(
    frames: int, first: int, reorder: int, rounds: int, base: tuple[int, int]
) -> None:
    fps = 25
    step = base[1] // (base[0] * fps)
    line = Timeline(base, fps=fps)
    decoded, shown = [], []
    for _ in range(rounds):
        for n in range(frames):
            dts = first + (n - reorder) * step
            pts, moved, shown_ns, _ = line.place(first + n * step, dts, step)
            assert pts is not None
            assert moved is not None
            decoded.append(moved)
            shown.append(shown_ns)
        line.start_over()
    assert decoded == sorted(set(decoded))
    assert shown == sorted(set(shown))
    assert shown[-1] == (rounds * frames - 1) * step * base[0] * 1_000_000_000 // base[1]
