"""Says why an encrypted camera's certificate is not accepted, in words that lead to what to change.

FFmpeg (its wheels bundle GnuTLS) only says "Input/output error". So where it fails on a connection whose certificate
is to be checked, the handshake is made once more by Python's own TLS, which tells the cause.
"""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from penstock.contracts.sources import SourceError, SourceFault

DEFAULT_PORTS = {"rtsps": 322, "https": 443}


def context(tls_ca: str) -> ssl.SSLContext:
    """Checks certificates and names against the authority in the PEM file `tls_ca`; empty takes any certificate.

    Raises OSError where the file cannot be read as PEM.
    """
    if tls_ca:
        return ssl.create_default_context(cafile=tls_ca)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def require_readable(tls_ca: str, url: str) -> None:
    """Raises SourceError where the authority's file is missing or holds no certificate."""
    if not tls_ca:
        return
    try:
        context(tls_ca)
    except (OSError, ValueError) as error:
        missing = not Path(tls_ca).is_file()
        raise SourceError(
            SourceFault.CERTIFICATE,
            f"{url}: tls_ca names {tls_ca}, which {'does not exist' if missing else 'holds no PEM certificate'}",
            "Save the authority's certificate there as PEM (it begins with -----BEGIN CERTIFICATE-----)",
        ) from error


def problem(url: str, tls_ca: str, timeout_s: float) -> str:
    """Why the certificate of the host in `url` is refused; empty where it is not, or nobody answers."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port or DEFAULT_PORTS.get(parts.scheme.lower(), 443)
    if not host:
        return ""
    try:
        with (
            socket.create_connection((host, port), timeout=timeout_s) as plain,
            context(tls_ca).wrap_socket(plain, server_hostname=host),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError):
        return ""


def fault(url: str, why: str, tls_ca: str) -> SourceError:
    """The certificate was refused, and what can be done."""
    return SourceError(
        SourceFault.CERTIFICATE,
        f"{url}: the certificate is not to be trusted: {why}",
        f"Address the camera by the name that its certificate states, and let {tls_ca} hold the certificate of the "
        "authority that signed it (a self-signed camera's own); without tls_ca any certificate is taken",
    )
