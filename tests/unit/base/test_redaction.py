"""Credentials leave text in every form that a camera's address is written in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.base.redaction import redact

SCENARIOS = {
    "user and password": ("rtsp://admin:s3cret@10.0.0.5:554/ch1", "rtsp://***@10.0.0.5:554/ch1"),
    "user alone": ("rtsp://admin@10.0.0.5/ch1", "rtsp://***@10.0.0.5/ch1"),
    "no credentials": ("rtsp://10.0.0.5:554/ch1?profile=2", "rtsp://10.0.0.5:554/ch1?profile=2"),
    "at sign in the password": ("rtsp://admin:p@ss@cam/ch1", "rtsp://***@cam/ch1"),
    "slash in the password": ("rtsp://admin:pa/ss@cam/ch1", "rtsp://***@cam/ch1"),
    "question mark and hash in the password": ("rtsp://admin:p?a#ss@cam/ch1", "rtsp://***@cam/ch1"),
    "at sign in the path is no password": ("rtsp://cam:554/live@1", "rtsp://cam:554/live@1"),
    "nor where a sentence goes on": ("rtsp://cam:554/live@1: refused", "rtsp://cam:554/live@1: refused"),
    "number before a slash in the password": ("rtsp://admin:12/ss@10.0.0.5/x", "rtsp://***@10.0.0.5/x"),
    "inside a sentence": (
        "cannot open rtsp://a:b@cam/x, nor http://c:d@other/y: gone",
        "cannot open rtsp://***@cam/x, nor http://***@other/y: gone",
    ),
    "in quotes": ("'rtsp://a:b@cam/x'", "'rtsp://***@cam/x'"),
    "query parameters": (
        "http://cam/video?user=admin&password=s3cret&channel=1",
        "http://cam/video?user=***&password=***&channel=1",
    ),
    "token": ("https://host/live.m3u8?access_token=abc.def#t=1", "https://host/live.m3u8?access_token=***#t=1"),
    "key": ("https://host/a?apikey=12&b=3", "https://host/a?apikey=***&b=3"),
    "parameters in the path": (
        "rtsp://cam/user=admin&password=x&channel=1",
        "rtsp://cam/user=***&password=***&channel=1",
    ),
    "parameters joined by underscores": ("rtsp://cam/user=admin_password=x_channel=1", "rtsp://cam/user=***"),
    "a word that only ends like one": ("http://cam/?monkey=1&compass=2", "http://cam/?monkey=1&compass=2"),
    "header": ("Authorization: Basic YTpi\r\nCSeq: 2", "Authorization: ***\r\nCSeq: 2"),
    "no scheme": ("user:s3cret@10.0.0.5/x", "***@10.0.0.5/x"),
    "no scheme, behind a folder": ("there is no file /srv/a:b@10.0.0.5/x", "there is no file /srv/***@10.0.0.5/x"),
    "no scheme, after a name": ("front=user:s3cret@cam/x", "front=***@cam/x"),
    "no scheme, slash in the password": ("user:pa/ss@cam/x", "***@cam/x"),
    "one stroke": ("rtsp:/user:s3cret@10.0.0.5/x", "rtsp:/***@10.0.0.5/x"),
    "no colon": ("rtsp//user:s3cret@10.0.0.5/x", "rtsp//***@10.0.0.5/x"),
    "no strokes": ("rtsp:user:s3cret@10.0.0.5/x", "***@10.0.0.5/x"),
    "no scheme, at sign in the path": ("10.0.0.5:554/live@1", "10.0.0.5:554/live@1"),
    "a key before an address": ("url: rtsp://cam:554/live@1", "url: rtsp://cam:554/live@1"),
    "plain text": ("nothing to hide here", "nothing to hide here"),
    "e-mail address": ("write to someone@example.org", "write to someone@example.org"),
}


@pytest.mark.parametrize(("text", "expected"), SCENARIOS.values(), ids=SCENARIOS.keys())
def test_redaction(text: str, expected: str) -> None:
    assert redact(text) == expected


SECRET = st.text(st.characters(exclude_categories=("Z", "C"), exclude_characters="\"'<>"), min_size=1, max_size=20).map(
    lambda text: f"Zq{text}qZ"
)


@given(SECRET, SECRET)
def test_no_userinfo_survives(user: str, password: str) -> None:
    shown = redact(f"failed: rtsp://{user}:{password}@camera.example:554/ch1 after 3 s")
    assert password not in shown
    assert "after 3 s" in shown


@given(SECRET, SECRET, st.sampled_from(["", "rtsp:/", "rtsp//", "/srv/cameras/"]))
def test_no_userinfo_survives_where_the_scheme_is_wrong(user: str, password: str, before: str) -> None:
    shown = redact(f"failed: {before}{user}:{password}@camera.example:554/ch1 after 3 s")
    assert password not in shown
    assert "after 3 s" in shown
    assert redact(shown) == shown


@given(SECRET, st.sampled_from(["password", "PASSWORD", "pwd", "token", "key", "api_key", "secret", "auth"]))
def test_no_parameter_survives(secret: str, name: str) -> None:
    secret = "".join(c for c in secret if c not in "&;#")
    assert secret not in redact(f"http://camera/stream?channel=1&{name}={secret}&x=2")


@given(st.text(max_size=200))
def test_twice_is_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(SECRET, SECRET)
def test_twice_is_once_with_credentials(user: str, password: str) -> None:
    once = redact(f"rtsp://{user}:{password}@cam/x?token={password}")
    assert redact(once) == once
