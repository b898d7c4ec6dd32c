"""Reads an Authorization header (RFC 7617 Basic, RFC 7616 Digest). Pure; the header comes from anybody."""

import base64
import binascii
import re

import msgspec

LONGEST_HEADER = 4096
_PARAMETER = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]*))\s*(?:,|$)')


class CredentialsError(ValueError):
    """The header cannot be read."""


class BasicCredentials(msgspec.Struct, frozen=True):
    user: str
    password: str


class DigestCredentials(msgspec.Struct, frozen=True):
    user: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    """upper case; MD5 where the client names none"""
    qop: str = ""
    nonce_count: str = ""
    client_nonce: str = ""


Credentials = BasicCredentials | DigestCredentials


def parse_authorization(header: str) -> Credentials:
    """Raises CredentialsError, and nothing else."""
    if len(header) > LONGEST_HEADER:
        raise CredentialsError(f"an Authorization header of more than {LONGEST_HEADER} characters")
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() == "basic":
        return _basic(rest.strip())
    if scheme.lower() == "digest":
        return _digest(rest)
    raise CredentialsError("an Authorization header is Basic or Digest")


def _basic(text: str) -> BasicCredentials:
    try:
        decoded = base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise CredentialsError("Basic credentials are base64 of user:password") from None
    user, colon, password = decoded.partition(":")
    if not colon:
        raise CredentialsError("Basic credentials are base64 of user:password")
    return BasicCredentials(user, password)


def _digest(text: str) -> DigestCredentials:
    values: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            raise CredentialsError(f"Digest credentials cannot be read at character {at}")
        quoted, plain = match.group(2), match.group(3)
        values[match.group(1).lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = match.end()
    missing = [name for name in ("username", "realm", "nonce", "uri", "response") if name not in values]
    if missing:
        raise CredentialsError(f"Digest credentials without {', '.join(missing)}")
    return DigestCredentials(
        user=values["username"],
        realm=values["realm"],
        nonce=values["nonce"],
        uri=values["uri"],
        response=values["response"].lower(),
        algorithm=values.get("algorithm", "MD5").upper(),
        qop=values.get("qop", ""),
        nonce_count=values.get("nc", ""),
        client_nonce=values.get("cnonce", ""),
    )
