"""Kubernetes' protobuf encoding, as far as kubectl sends it: its `create` subcommands post some built-in kinds so.

A body is `k8s\\0` and an Unknown message {typeMeta {apiVersion, kind}, raw}; `raw` is the object. Field numbers are
those of the published generated.proto files. Answers are always JSON, which every client accepts.
"""

import base64
import datetime
from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Reader = Callable[[Any], Any]

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"


class ProtobufError(ValueError):
    """The body is no protobuf of a kind that is understood."""


def decode(body: bytes) -> Json:
    """Decode a request body into the object's JSON form. Raises ProtobufError."""
    if not body.startswith(_MAGIC):
        raise ProtobufError("the body does not begin with the magic number k8s\\0")
    try:
        envelope = _fields(body[len(_MAGIC) :])
        meta = {number: value.decode() for number, value in _fields(envelope.get(1, [b""])[0], single=True).items()}
        kind = meta.get(2, "")
        if kind not in _KINDS:
            known = ", ".join(_KINDS)
            raise ProtobufError(
                f"{kind or 'an object without kind'} is not understood as protobuf ({known} are): send JSON"
            )
        return {"apiVersion": meta.get(1, ""), "kind": kind, **_message(_KINDS[kind])(envelope.get(2, [b""])[-1])}
    except (IndexError, UnicodeDecodeError) as error:
        raise ProtobufError(f"the body is cut off or malformed: {error}") from None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ProtobufError("a number is longer than 64 bits")


def _fields(data: bytes, *, single: bool = False) -> dict[int, Any]:
    """Values by field number: all of them, or the last one."""
    found: dict[int, Any] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            size, at = _varint(data, at)
            value = data[at : at + size]
            if len(value) != size:
                raise ProtobufError("the body is cut off")
            at += size
        else:
            width = {1: 8, 5: 4}.get(wire)
            if width is None:
                raise ProtobufError(f"wire type {wire} is not used by Kubernetes")
            value, at = data[at : at + width], at + width
        if single:
            found[number] = value
        else:
            found.setdefault(number, []).append(value)
    return found


def _message(layout: dict[int, tuple[str, Reader, bool]]) -> Reader:
    """A reader of messages: the layout gives each field number's name, reader and whether it repeats."""

    def read(data: bytes) -> Json:
        found: Json = {}
        for number, values in _fields(data).items():
            if number in layout:
                name, reader, repeats = layout[number]
                value = [reader(each) for each in values] if repeats else reader(values[-1])
                if value not in (None, "", 0, False):  # a zero value is written too, and means that nothing was said
                    found[name] = dict(value) if repeats and reader in _MAPS else value
        return found

    return read


def _text(data: bytes) -> str:
    return data.decode()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _time(data: bytes) -> str | None:
    seconds = _fields(data, single=True).get(1)
    if not seconds:
        return None
    return datetime.datetime.fromtimestamp(_signed(seconds), datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _int_or_string(data: bytes) -> int | str:
    found = _fields(data, single=True)
    return found[3].decode() if found.get(1) else _signed(found.get(2, 0))


def _entry(data: bytes) -> tuple[str, str]:
    found = _fields(data, single=True)
    return found.get(1, b"").decode(), found.get(2, b"").decode()


def _bytes_entry(data: bytes) -> tuple[str, str]:
    found = _fields(data, single=True)
    return found.get(1, b"").decode(), _base64(found.get(2, b""))


_MAPS = (_entry, _bytes_entry)

_OWNER = _message(
    {
        5: ("apiVersion", _text, False), 1: ("kind", _text, False), 3: ("name", _text, False), 4: ("uid", _text, False),
        6: ("controller", bool, False), 7: ("blockOwnerDeletion", bool, False),
    }
)  # fmt: skip
_META = _message(
    {
        1: ("name", _text, False), 2: ("generateName", _text, False), 3: ("namespace", _text, False),
        5: ("uid", _text, False), 6: ("resourceVersion", _text, False), 8: ("creationTimestamp", _time, False),
        11: ("labels", _entry, True), 12: ("annotations", _entry, True), 13: ("ownerReferences", _OWNER, True),
        14: ("finalizers", _text, True),
    }
)  # fmt: skip
_PORT = _message(
    {
        1: ("name", _text, False), 2: ("protocol", _text, False), 3: ("port", _signed, False),
        4: ("targetPort", _int_or_string, False), 5: ("nodePort", _signed, False), 6: ("appProtocol", _text, False),
    }
)  # fmt: skip
_SERVICE = _message(
    {
        1: ("ports", _PORT, True), 2: ("selector", _entry, True), 3: ("clusterIP", _text, False),
        4: ("type", _text, False), 5: ("externalIPs", _text, True), 7: ("sessionAffinity", _text, False),
        10: ("externalName", _text, False), 13: ("publishNotReadyAddresses", bool, False),
    }
)  # fmt: skip
_NAMED = _message({1: ("name", _text, False), 3: ("name", _text, False)})
_KINDS: dict[str, dict[int, tuple[str, Reader, bool]]] = {
    "ConfigMap": {
        1: ("metadata", _META, False), 2: ("data", _entry, True), 3: ("binaryData", _bytes_entry, True),
        4: ("immutable", bool, False),
    },
    "Secret": {
        1: ("metadata", _META, False), 2: ("data", _bytes_entry, True), 3: ("type", _text, False),
        4: ("stringData", _entry, True), 5: ("immutable", bool, False),
    },
    "Namespace": {1: ("metadata", _META, False)},
    "ServiceAccount": {
        1: ("metadata", _META, False), 2: ("secrets", _NAMED, True), 3: ("imagePullSecrets", _NAMED, True),
        4: ("automountServiceAccountToken", bool, False),
    },
    "Service": {1: ("metadata", _META, False), 2: ("spec", _SERVICE, False)},
}  # fmt: skip
