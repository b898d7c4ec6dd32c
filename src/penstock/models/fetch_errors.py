"""What can go wrong while fetching, each told with what happened and what to do."""

import errno
import http
import urllib.error
from pathlib import Path
from urllib.parse import urlsplit

from penstock.base.redaction import redact
from penstock.base.units import format_size
from penstock.contracts.work import FailureCause
from penstock.models.catalogue.known import KnownModel
from penstock.models.errors import ModelError


class FetchError(ModelError):
    """A model that could not be fetched; nothing lies under its final name because of it."""

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(FailureCause.LOAD_FAILED, what, advice)


def led_astray(url: str, to: str) -> FetchError:
    """A redirect to where nothing is fetched from."""
    return FetchError(
        f"{redact(url)}: leads to {redact(to)}, which is not fetched from",
        "Only https addresses are, and http ones on this host",
    )


def broken_off(known: KnownModel, here: int, whole: int, why: str) -> FetchError:
    """A transfer that ended early."""
    of = f" of {format_size(whole)}" if whole else ""
    goes_on = "it goes on where it stopped" if known.sha256 else "it starts anew, for its hash is not known"
    return FetchError(
        f"{known.url}: broke off after {format_size(here)}{of}: {why}",
        f"Run `penstock models get {known.name}` again; {goes_on}",
    )


def status_error(known: KnownModel, error: urllib.error.HTTPError) -> FetchError:
    """An answer other than success; `error` may be closed."""
    if error.code // 100 == 3:
        # urllib itself follows to no other schemes than those of the web.
        return led_astray(known.url, str(error.headers.get("Location", "nowhere")))
    reason = error.reason if isinstance(error.reason, str) else ""
    if error.code in (http.HTTPStatus.NOT_FOUND, http.HTTPStatus.GONE):
        return FetchError(
            f"{known.url}: is not there any more ({error.code} {reason})",
            f"Look for {known.file_name} at {known.source} and give its path; a newer Penstock may know where it went",
        )
    if error.code == http.HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return FetchError("the proxy wants a name and a password", "Put them into the https_proxy variable")
    return FetchError(f"{known.url}: the server answers {error.code} {reason}", "Try again later")


def connect_error(known: KnownModel, reason: object) -> FetchError:
    """No connection came about."""
    host = urlsplit(known.url).hostname
    if isinstance(reason, TimeoutError):
        return FetchError(f"{host} did not answer in time", "Check the network, or set https_proxy")
    if "CERTIFICATE_VERIFY_FAILED" in str(reason):
        return FetchError(
            f"the certificate of {host} is signed by nobody whom this host trusts",
            "Where a proxy opens https, set SSL_CERT_FILE to its authority's certificate",
        )
    return FetchError(
        f"{host} cannot be reached ({gist(reason)})",
        "Check the network and https_proxy; without a network, copy the file here and give its path",
    )


def storage_error(known: KnownModel, folder: Path, error: OSError) -> FetchError:
    """The file could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        need = f"{known.name} needs {format_size(known.size_bytes)}" if known.size_bytes else "make room"
        return FetchError(f"{folder}: the disk is full", f"Free some space ({need}), or name another folder with --to")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FetchError(f"{folder}: cannot be written by this user", "Name another folder with --to")
    return FetchError(f"{folder}: {gist(error)}", "Name another folder with --to")


def gist(reason: object) -> str:
    """The reason in a few words."""
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return str(reason) or type(reason).__name__
