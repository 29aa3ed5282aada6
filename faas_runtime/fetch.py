"""Download of an archive from the platform, verified by its digest."""

from __future__ import annotations

import hashlib
import http.client
import time
from pathlib import Path
from urllib.parse import urlsplit

from faas_runtime.errors import StartupError
from faas_runtime.limits import FETCH_PATIENCE, MAX_ARCHIVE_PACKED
from faas_runtime.settings import Archive

_CHUNK = 1024 * 1024
_SOCKET_TIMEOUT = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_REFUSALS = {
    401: "the archive server refused the function's token (401)",
    403: "the function's token does not allow to read this archive (403)",
    404: "the archive server does not have it (404); deploy the function again",
}


class _TryAgainError(Exception):
    """Nothing is known to be wrong with the archive; the server was not there, or not all the way."""


def fetch(archive: Archive, target: Path) -> None:
    """Write the archive to ``target``. An unreachable server is retried for FETCH_PATIENCE seconds. Raises StartupError
    for what will not get better: refused, absent, too large, or other bytes than the digest says."""
    give_up, pause = time.monotonic() + FETCH_PATIENCE, _FIRST_PAUSE
    while True:
        try:
            _download(archive, target)
            return
        except _TryAgainError as error:
            if time.monotonic() + pause > give_up:
                raise _failed(archive, f"{error} (tried for {FETCH_PATIENCE:g} s)") from None
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def _download(archive: Archive, target: Path) -> None:
    address = urlsplit(archive.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=_SOCKET_TIMEOUT)
    try:
        headers = {"Authorization": f"Bearer {archive.token}"} if archive.token else {}
        connection.request("GET", address.path + (f"?{address.query}" if address.query else ""), headers=headers)
        response = connection.getresponse()
        if response.status >= 500:
            raise _TryAgainError(f"the archive server answered {response.status}")
        if response.status != 200:
            reason = _REFUSALS.get(response.status, f"the archive server answered {response.status}, expected 200")
            raise _failed(archive, reason)
        digest = _copy(archive, response, target)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _TryAgainError(f"{type(error).__name__}: {error}") from None
    finally:
        connection.close()
    if digest != archive.sha256:
        raise _failed(archive, f"its bytes have the digest {digest}")


def _copy(archive: Archive, response: http.client.HTTPResponse, target: Path) -> str:
    digest, size, expected = hashlib.sha256(), 0, response.length
    with target.open("wb") as file:
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            if size > MAX_ARCHIVE_PACKED:
                raise _failed(archive, f"it is larger than the limit of {MAX_ARCHIVE_PACKED} bytes")
            digest.update(chunk)
            file.write(chunk)
    if expected is not None and size != expected:
        raise _TryAgainError(f"the download ended after {size} of {expected} bytes")
    return digest.hexdigest()


def _failed(archive: Archive, reason: str) -> StartupError:
    return StartupError(f"archive {archive.sha256[:12]}… from {archive.url}: {reason}")
