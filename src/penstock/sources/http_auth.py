"""Answers a web server's request for a password: Digest (RFC 7616, and RFC 2069 as old cameras speak it) or Basic.

Digest is preferred, SHA-256 over MD5: it does not send the password. Pure: the caller gives the random `cnonce`.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable

_SCHEME = re.compile(r"\s*(basic|digest)\b", re.IGNORECASE)
_PARAMETER = re.compile(r'([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')
_HASHES: dict[str, Callable[[bytes], str]] = {
    "SHA-256": lambda data: hashlib.sha256(data).hexdigest(),
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}


def authorization(
    challenges: Iterable[str], *, method: str, target: str, user: str, password: str, cnonce: str
) -> str | None:
    """Value of the `Authorization` header for the best of `challenges` (values of `WWW-Authenticate`).

    `target` is the request's path and query. None where no challenge can be answered.
    """
    basic = False
    digests: dict[str, dict[str, str]] = {}
    for challenge in challenges:
        found = _SCHEME.match(challenge)
        if found is None:
            continue
        if found.group(1).lower() == "basic":
            basic = True
            continue
        fields = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(challenge)}
        qops = [qop.strip().lower() for qop in fields.get("qop", "").split(",") if qop.strip()]
        algorithm = fields.get("algorithm", "MD5").upper()
        if algorithm in _HASHES and "nonce" in fields and (not qops or "auth" in qops):
            digests.setdefault(algorithm, fields)
    for algorithm in _HASHES:
        if algorithm in digests:
            return _digest(digests[algorithm], algorithm, method, target, user, password, cnonce)
    if basic:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return None


def _digest(
    fields: dict[str, str], algorithm: str, method: str, target: str, user: str, password: str, cnonce: str
) -> str:
    digest = _HASHES[algorithm]
    realm, nonce = fields.get("realm", ""), fields["nonce"]
    secret = digest(f"{user}:{realm}:{password}".encode())
    request = digest(f"{method}:{target}".encode())
    parts = [f'username="{_quoted(user)}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{target}"']
    if fields.get("qop"):
        response = digest(f"{secret}:{nonce}:00000001:{cnonce}:auth:{request}".encode())
        parts += ["qop=auth", "nc=00000001", f'cnonce="{cnonce}"']
    else:
        response = digest(f"{secret}:{nonce}:{request}".encode())
    parts.append(f'response="{response}"')
    if "algorithm" in fields:
        parts.append(f"algorithm={algorithm}")
    if "opaque" in fields:
        parts.append(f'opaque="{fields["opaque"]}"')
    return "Digest " + ", ".join(parts)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
