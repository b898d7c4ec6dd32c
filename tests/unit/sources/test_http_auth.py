"""Answers to web servers that ask for a password; the first table is RFC 7616, section 3.9.1."""

import base64

import pytest

from penstock.sources.http_auth import authorization

RFC = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RESPONSES = {
    "MD5": "8ca523f5e9506fed4657c9700eebdbec",
    "SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


def answer(*challenges: str, user: str = "Mufasa", password: str = "Circle of Life") -> str | None:
    return authorization(
        challenges,
        method="GET",
        target="/dir/index.html",
        user=user,
        password=password,
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )


@pytest.mark.parametrize(("algorithm", "response"), RESPONSES.items())
def test_digest_as_the_standard_computes_it(algorithm: str, response: str) -> None:
    given = answer(RFC.format(algorithm))
    assert given is not None
    assert f'response="{response}"' in given
    assert given.startswith('Digest username="Mufasa", ')


def test_the_strongest_is_chosen() -> None:
    given = answer('Basic realm="cam"', RFC.format("MD5"), RFC.format("SHA-256"))
    assert given is not None
    assert RESPONSES["SHA-256"] in given


def test_digest_without_qop_as_old_cameras_have_it() -> None:
    # RFC 2069, section 2.4, with the value of its erratum.
    given = authorization(
        ['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc"'],
        method="GET",
        target="/dir/index.html",
        user="Mufasa",
        password="CircleOfLife",
        cnonce="unused",
    )
    assert given is not None
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in given
    assert "cnonce" not in given


def test_basic_carries_any_letters() -> None:
    given = answer('Basic realm="cam"', user="jürgen", password="p:ß")
    assert given == "Basic " + base64.b64encode("jürgen:p:ß".encode()).decode()


def test_what_cannot_be_answered() -> None:
    assert answer("Negotiate", 'Digest realm="x", nonce="y", algorithm=SHA-512', "Digest nothing") is None
