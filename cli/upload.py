"""Archives on their way to the gateway: sent when it has not got them, and again when it can't take them just now."""

import tempfile
import time
from collections.abc import Callable

from cli.client import Answer, Gateway, Refused
from cli.output import note
from cli.packing import archive, source
from cli.packing.source import Packed
from services.contracts import archives
from services.contracts.names import FunctionRef

ATTEMPTS = 5
LONGEST_PAUSE = 10.0
"""Seconds; a gateway that asks for more is asked again all the same."""


def archived(packed: Packed, ref: FunctionRef, gateway: Gateway | None) -> str:
    """The digest of the archive, which the gateway has afterwards; it is written and sent only when it has not.

    Raises Refused, Failure.
    """
    key, known = source.known_archive(packed)
    if known is not None and (gateway is None or _has(gateway, ref, known.digest)):
        return known.digest
    with tempfile.TemporaryFile() as file:
        known = archive.write(file, packed.files, packed.packages)
        archive.remember(key, known)
        if gateway is not None and not _has(gateway, ref, known.digest):
            path = archives.path(ref.namespace, known.digest)
            fields = {"Content-Length": str(known.size), "Content-Type": "application/gzip"}
            note(f"sending {known.size / 1e6:.1f} MB")

            def send() -> Answer:
                file.seek(0)
                return gateway.ask("PUT", path, file, fields, archive.UPLOAD_SECONDS)

            _patiently(send)
    return known.digest


def _has(gateway: Gateway, ref: FunctionRef, digest: str) -> bool:
    try:
        _patiently(lambda: gateway.ask("HEAD", archives.path(ref.namespace, digest)))
    except Refused as refused:
        if refused.status == 404:
            return False
        raise
    return True


def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Asks again after a 503 that says when: for some seconds after its start, NATS has no leader for its store."""
    for _ in range(ATTEMPTS - 1):
        try:
            return ask()
        except Refused as refused:
            if refused.status != 503 or refused.retry_after is None:
                raise
            pause = min(refused.retry_after, LONGEST_PAUSE)
            note(f"{refused}; again in {pause:g} s")
            time.sleep(pause)
    return ask()
