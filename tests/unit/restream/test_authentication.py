"""Who may pass. The digests are those of RFC 7616's and RFC 2069's formulas, computed here by themselves."""

import base64
import hashlib
import re

import pytest

from penstock.base.clock import NS_PER_S
from penstock.restream.authentication import NoAuthentication, PasswordAuthentication, Verdict

URI = "rtsp://h:554/cam"
SECRET = b"0123456789abcdef"


def guard(schemes: tuple[str, ...] = ("digest-sha256", "digest-md5", "basic")) -> PasswordAuthentication:
    return PasswordAuthentication({"ann": "Tr0ub4dor"}, secret=SECRET, schemes=schemes)


def nonce_of(challenge: str) -> str:
    found = re.search(r'nonce="([^"]+)"', challenge)
    assert found is not None
    return found.group(1)


def digest(
    nonce: str,
    *,
    password: str = "Tr0ub4dor",
    user: str = "ann",
    algorithm: str = "",
    qop: bool = True,
    method: str = "DESCRIBE",
    uri: str = URI,
    realm: str = "penstock",
) -> str:
    make = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5

    def h(text: str) -> str:
        return make(text.encode()).hexdigest()

    one, two = h(f"{user}:{realm}:{password}"), h(f"{method}:{uri}")
    response = h(f"{one}:{nonce}:00000001:c:auth:{two}") if qop else h(f"{one}:{nonce}:{two}")
    header = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}"'
    if algorithm:
        header += f", algorithm={algorithm}"
    return header + (', qop=auth, nc=00000001, cnonce="c"' if qop else "")


def test_the_challenges_name_the_best_first() -> None:
    challenges = guard().challenges(Verdict.MISSING, 5)
    assert [re.sub(r'nonce="[^"]+"', "nonce", one) for one in challenges] == [
        'Digest realm="penstock", nonce, algorithm=SHA-256, qop="auth"',
        'Digest realm="penstock", nonce, algorithm=MD5, qop="auth"',
        'Basic realm="penstock"',
    ]
    assert all(one.endswith("stale=true") for one in guard().challenges(Verdict.STALE, 5)[:2])


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-256"])
@pytest.mark.parametrize("qop", [True, False])
def test_the_right_digest_passes_and_each_wrong_part_does_not(algorithm: str, qop: bool) -> None:
    guarded = guard()
    nonce = nonce_of(guarded.challenges(Verdict.MISSING, 0)[0])

    def verdict(**wrong: str) -> Verdict:
        header = digest(nonce, algorithm=algorithm, qop=qop, **wrong)
        return guarded.check("DESCRIBE", URI, header, 1)

    assert verdict() is Verdict.ALLOWED
    assert verdict(password="other") is Verdict.WRONG
    assert verdict(user="bob") is Verdict.WRONG
    assert verdict(user="bob", password="") is Verdict.WRONG
    assert verdict(method="PLAY") is Verdict.WRONG
    assert verdict(uri="rtsp://h:554/other") is Verdict.WRONG
    assert verdict(realm="other") is Verdict.WRONG


def test_credentials_for_the_stream_hold_for_its_track() -> None:
    guarded = guard()
    nonce = nonce_of(guarded.challenges(Verdict.MISSING, 0)[0])
    for given in (URI, f"{URI}/", "/cam"):
        assert (
            guarded.check("SETUP", f"{URI}/trackID=0", digest(nonce, method="SETUP", uri=given), 1) is Verdict.ALLOWED
        )
    assert guarded.check("SETUP", f"{URI}era/trackID=0", digest(nonce, method="SETUP"), 1) is Verdict.WRONG


def test_an_old_nonce_is_stale_only_with_the_right_password() -> None:
    guarded = guard()
    nonce = nonce_of(guarded.challenges(Verdict.MISSING, 0)[0])
    at_ns = 300 * NS_PER_S
    assert guarded.check("DESCRIBE", URI, digest(nonce), at_ns) is Verdict.ALLOWED
    assert guarded.check("DESCRIBE", URI, digest(nonce), at_ns + 1) is Verdict.STALE
    assert guarded.check("DESCRIBE", URI, digest(nonce, password="other"), at_ns + 1) is Verdict.WRONG


@pytest.mark.parametrize("nonce", ["", "x", "A" * 56, base64.b64encode(bytes(40)).decode()])
def test_a_nonce_that_is_not_ours_is_stale(nonce: str) -> None:
    assert guard().check("DESCRIBE", URI, digest(nonce), 0) is Verdict.STALE


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "verdict"),
    [
        (None, Verdict.MISSING),
        (basic("ann:Tr0ub4dor"), Verdict.ALLOWED),
        (basic("ann:other"), Verdict.WRONG),
        (basic("bob:"), Verdict.WRONG),
        (basic("ann"), Verdict.WRONG),
        ("Basic !", Verdict.WRONG),
        ("Bearer x", Verdict.WRONG),
        ("Digest x", Verdict.WRONG),
        ('Digest username="ann"', Verdict.WRONG),
    ],
)
def test_basic_and_broken_headers(header: str | None, verdict: Verdict) -> None:
    assert guard().check("DESCRIBE", URI, header, 0) is verdict


def test_a_scheme_that_is_not_offered_is_not_taken() -> None:
    assert guard(schemes=("digest-sha256",)).check("DESCRIBE", URI, basic("ann:Tr0ub4dor"), 0) is Verdict.WRONG
    only_basic = guard(schemes=("basic",))
    nonce = nonce_of(guard().challenges(Verdict.MISSING, 0)[0])
    assert only_basic.check("DESCRIBE", URI, digest(nonce), 0) is Verdict.WRONG
    with pytest.raises(ValueError, match="digest-md5"):
        guard(schemes=("ntlm",))


def test_nobody_is_asked_without_authentication() -> None:
    assert NoAuthentication().check("PLAY", URI, None, 0) is Verdict.ALLOWED
