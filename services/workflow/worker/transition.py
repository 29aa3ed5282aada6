"""A transition as it is stored: records as JSON, the large ones apart.

A record whose JSON is over LARGE bytes is stored by its digest, and a Large stands in its place. Pure.
"""

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from services.workflow.engine.records import AnyRecord, Record

LARGE = 64 * 1024
"""Bytes of a record's JSON from which on it is stored apart."""
LONGEST = 1024 * 1024
"""Bytes of a message from which on smaller records are stored apart too: nats-server takes 8 MiB."""
_SMALLEST = 512
_MARK = b'"record":"Large"'


class Large(msgspec.Struct, frozen=True, tag_field="record", tag=True):
    """In place of a record that is stored by the SHA-256 of its JSON."""

    sha256: str
    size: int


class _Stored(msgspec.Struct, frozen=True):
    records: list[AnyRecord | Large]


class _Raws(msgspec.Struct, frozen=True):
    records: list[msgspec.Raw]


class Unreadable(Exception):
    """A stored transition that is none, or that lacks a large record."""


_encode = msgspec.json.Encoder().encode
_stored = msgspec.json.Decoder(_Stored)
_raws = msgspec.json.Decoder(_Raws)
_large = msgspec.json.Decoder(Large)
_record: "msgspec.json.Decoder[AnyRecord]" = msgspec.json.Decoder(AnyRecord)


def pack(records: Iterable[Record]) -> tuple[bytes, dict[str, bytes]]:
    """The message of a transition, and what is to be stored before it, by digest."""
    parts = [_encode(record) for record in records]
    blobs: dict[str, bytes] = {}
    limit = LARGE
    while True:
        parts = [part if len(part) <= limit else _apart(part, blobs) for part in parts]
        if sum(map(len, parts)) <= LONGEST or limit <= _SMALLEST:
            return b'{"records":[' + b",".join(parts) + b"]}", blobs
        limit //= 4


def _apart(part: bytes, blobs: dict[str, bytes]) -> bytes:
    digest = hashlib.sha256(part).hexdigest()
    blobs[digest] = part
    return _encode(Large(sha256=digest, size=len(part)))


def digests(message: bytes) -> list[str]:
    """The digests of the large records that a message refers to, for whoever reads them from their store."""
    if _MARK not in message:  # a record may have this text in its data: then the closer look finds nothing
        return []
    raws = map(bytes, _raws.decode(message).records)
    return [_large.decode(raw).sha256 for raw in raws if raw.startswith(b"{" + _MARK)]


def unpack(message: bytes, blobs: Mapping[str, bytes]) -> list[AnyRecord]:
    """The records of a message. Raises Unreadable."""
    try:
        found = _stored.decode(message).records
        return [_record.decode(blobs[each.sha256]) if isinstance(each, Large) else each for each in found]
    except KeyError as missing:
        raise Unreadable(f"the large record {missing.args[0]} is not there") from None
    except msgspec.DecodeError as error:
        raise Unreadable(f"a transition can't be read: {error}") from None
