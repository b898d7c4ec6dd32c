"""Decides whether a request may pass: nobody is asked, or Digest and Basic against a list of users.

Digest (RFC 7616) is offered with SHA-256 first and MD5 after it, since many players know only MD5. Nonces are signed
instants, so that none have to be remembered; one that is too old is answered with `stale=true`, and the client goes on
without asking its user. Nonce counts are not checked, because players send 1 with every request.
"""

import base64
import binascii
import enum
import hashlib
import hmac
from collections.abc import Mapping
from typing import Protocol

from penstock.restream.credentials import (
    BasicCredentials,
    CredentialsError,
    DigestCredentials,
    parse_authorization,
)
from penstock.restream.message import path_of

NONCE_LIFE_NS = 300 * 1_000_000_000
_ALGORITHMS = {"SHA-256": "sha256", "MD5": "md5"}
_NONCE_BYTES = 8 + 32


class Verdict(enum.Enum):
    ALLOWED = "allowed"
    MISSING = "missing"
    """no credentials came: the usual first request"""
    WRONG = "wrong"
    STALE = "stale"
    """right, but for a nonce that is too old"""


class Authentication(Protocol):
    def check(self, method: str, uri: str, header: str | None, now_ns: int) -> Verdict:
        """Judges one request by its `Authorization` header."""
        ...

    def challenges(self, verdict: Verdict, now_ns: int) -> tuple[str, ...]:
        """The values of `WWW-Authenticate` that go with a refusal, best first."""
        ...


class NoAuthentication:
    """Lets everybody in."""

    def check(self, method: str, uri: str, header: str | None, now_ns: int) -> Verdict:  # noqa: ARG002
        return Verdict.ALLOWED

    def challenges(self, verdict: Verdict, now_ns: int) -> tuple[str, ...]:  # noqa: ARG002
        return ()


class PasswordAuthentication:
    """Users with passwords. `secret` signs nonces: at least 16 random bytes, new with each start.

    `schemes` are offered and accepted: any of `digest-sha256`, `digest-md5`, `basic`.
    """

    def __init__(
        self,
        users: Mapping[str, str],
        *,
        secret: bytes,
        realm: str = "penstock",
        schemes: tuple[str, ...] = ("digest-sha256", "digest-md5", "basic"),
        nonce_life_ns: int = NONCE_LIFE_NS,
    ) -> None:
        unknown = set(schemes) - {"digest-sha256", "digest-md5", "basic"}
        if unknown or not schemes:
            raise ValueError(f"schemes are digest-sha256, digest-md5 and basic, not {', '.join(sorted(unknown))!r}")
        if '"' in realm or "\\" in realm:
            raise ValueError("a realm holds neither quotes nor backslashes")
        self._users = dict(users)
        self._secret = secret
        self._realm = realm
        self._algorithms = tuple(
            name for name, scheme in (("SHA-256", "digest-sha256"), ("MD5", "digest-md5")) if scheme in schemes
        )
        self._basic = "basic" in schemes
        self._nonce_life_ns = nonce_life_ns

    def check(self, method: str, uri: str, header: str | None, now_ns: int) -> Verdict:
        if header is None:
            return Verdict.MISSING
        try:
            credentials = parse_authorization(header)
        except CredentialsError:
            return Verdict.WRONG
        if isinstance(credentials, BasicCredentials):
            return self._check_basic(credentials)
        return self._check_digest(credentials, method, uri, now_ns)

    def challenges(self, verdict: Verdict, now_ns: int) -> tuple[str, ...]:
        stale = ", stale=true" if verdict is Verdict.STALE else ""
        nonce = self._nonce(now_ns)
        offered = [
            f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale}'
            for algorithm in self._algorithms
        ]
        if self._basic:
            offered.append(f'Basic realm="{self._realm}"')
        return tuple(offered)

    def _check_basic(self, credentials: BasicCredentials) -> Verdict:
        expected = self._users.get(credentials.user)
        same = hmac.compare_digest((expected or "").encode(), credentials.password.encode("utf-8", "surrogateescape"))
        return Verdict.ALLOWED if self._basic and expected is not None and same else Verdict.WRONG

    def _check_digest(self, given: DigestCredentials, method: str, uri: str, now_ns: int) -> Verdict:
        if given.algorithm not in self._algorithms or given.realm != self._realm or not _same_address(given.uri, uri):
            return Verdict.WRONG
        if given.qop not in ("", "auth"):
            return Verdict.WRONG
        age_ns = self._nonce_age_ns(given.nonce, now_ns)
        if age_ns is None:
            # Not ours, or signed before a restart: the client may try again with a new one.
            return Verdict.STALE
        known = given.user in self._users
        expected = digest_response(given, method, self._users.get(given.user, ""))
        if not hmac.compare_digest(expected.encode(), given.response.encode("utf-8", "surrogateescape")) or not known:
            return Verdict.WRONG
        return Verdict.ALLOWED if age_ns <= self._nonce_life_ns else Verdict.STALE

    def _nonce(self, now_ns: int) -> str:
        instant = now_ns.to_bytes(8, "big")
        return base64.urlsafe_b64encode(instant + self._sign(instant)).decode()

    def _nonce_age_ns(self, nonce: str, now_ns: int) -> int | None:
        try:
            decoded = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(decoded) != _NONCE_BYTES or not hmac.compare_digest(self._sign(decoded[:8]), decoded[8:]):
            return None
        return now_ns - int.from_bytes(decoded[:8], "big")

    def _sign(self, instant: bytes) -> bytes:
        return hmac.new(self._secret, instant, hashlib.sha256).digest()


def digest_response(given: DigestCredentials, method: str, password: str) -> str:
    """What `response` must be (RFC 7616, section 3.4.1; without `qop` as in RFC 2069)."""

    def digest(text: str) -> str:
        # The algorithm is the protocol's choice; MD5 is offered for players that know nothing else.
        data = text.encode("utf-8", "surrogateescape")
        return hashlib.new(_ALGORITHMS[given.algorithm], data, usedforsecurity=False).hexdigest()

    first = digest(f"{given.user}:{given.realm}:{password}")
    second = digest(f"{method}:{given.uri}")
    if given.qop:
        return digest(f"{first}:{given.nonce}:{given.nonce_count}:{given.client_nonce}:{given.qop}:{second}")
    return digest(f"{first}:{given.nonce}:{second}")


def _same_address(given: str, uri: str) -> bool:
    """Whether credentials made for `given` hold for `uri`: players name the stream where they mean its track."""
    if given == uri:
        return True
    ours = path_of(uri)
    theirs = path_of(given) if "://" in given else given.rstrip("/")
    if ours is None or not theirs or not theirs.startswith("/"):
        return False
    return ours == theirs or ours.startswith(f"{theirs}/") or theirs.startswith(f"{ours}/")
