"""No message changes its shape without changing its version."""

import json

import msgspec
import pytest

from tests.contracts.fingerprints import STORED, fingerprint, key, message_types

TYPES = list(message_types())


@pytest.mark.parametrize("type_", TYPES, ids=key)
def test_shape_is_that_of_its_version(type_: type[msgspec.Struct]) -> None:
    stored = json.loads(STORED.read_text())
    assert key(type_) in stored, f"{key(type_)} is new: run `python -m tests.contracts.fingerprints`"
    assert stored[key(type_)] == fingerprint(type_), f"{key(type_)} has another shape: give it another version"


PARTS = {"Load/0", "ErrorBody/0", "Waiting/0", "Wait/0", "Attempt/0", "TraceNode/0", "HistoryEntry/0"}
"""Without a version: parts of other messages, and the error body, which readers take by its two stable fields."""


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if key(type_) not in PARTS], ids=key)
def test_every_message_says_its_version(type_: type[msgspec.Struct]) -> None:
    required = {field.name: None for field in msgspec.structs.fields(type_) if field.required}
    sent = msgspec.json.decode(msgspec.json.encode(type_(**required)))
    version = sent.get("version", sent.get("specversion"))
    assert key(type_) == f"{type_.__name__}/{version}"


def test_every_change_of_shape_is_noticed() -> None:
    class Before(msgspec.Struct):
        name: str
        count: int = 0

    changed = [
        msgspec.defstruct("Before", [("name", str), ("count", int, 1)]),
        msgspec.defstruct("Before", [("name", str), ("count", float, 0)]),
        msgspec.defstruct("Before", [("name", str), ("total", int, 0)]),
        msgspec.defstruct("Before", [("name", str)]),
        msgspec.defstruct("Before", [("name", str | None), ("count", int, 0)]),
        msgspec.defstruct("Before", [("name", str), ("count", int, 0)], array_like=True),
    ]
    same = msgspec.defstruct("Other", [("name", str), ("count", int, 0)])
    assert fingerprint(same) == fingerprint(Before)
    assert len({fingerprint(Before), *map(fingerprint, changed)}) == len(changed) + 1
