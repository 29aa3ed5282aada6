"""A run's state as bytes, so that a long history need not be read from its beginning. Pure.

The data of a run is one value that many frames share (a fork of a thousand branches has one input), so values are
written once, in a table, and the frames refer to it; read back they are shared again.
"""

from typing import Any

import msgspec

from services.workflow.engine.state import Frame, State

VERSION = 1
_SHARED = ("raw", "input", "data")


class Snapshot(msgspec.Struct, array_like=True):
    """``records``: how many the run had; ``at``: the time of the last one. In ``state`` an object ``{"value": n}``
    stands for the n-th of ``values``."""

    version: int
    records: int
    at: float
    values: list[Any]
    state: State


class Unreadable(Exception):
    """A snapshot of another version, or none."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Snapshot).decode


class _Table:
    """Lists and objects by identity. Those of the state live as long as the table, so no id is used twice."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[int, int] = {}

    def put(self, value: Any) -> Any:
        if not isinstance(value, dict | list):
            return value
        number = self._numbers.setdefault(id(value), len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return {"value": number}


def encode(state: State, records: int, at: float) -> bytes:
    """The state after so many records, the last of them at ``at``."""
    table = _Table()
    frames = {key: _frame(frame, table.put) for key, frame in state.frames.items()}
    slim = _state(state, table.put)
    slim.frames = frames
    return _encode(Snapshot(VERSION, records, at, table.values, slim))


def decode(data: bytes) -> Snapshot:
    """The snapshot, with the values in their places in ``state``. Raises Unreadable."""
    try:
        found = _decode(data)
        if found.version != VERSION:
            raise Unreadable(f"the snapshot has version {found.version}; this service reads {VERSION}")
        values = found.values

        def get(value: Any) -> Any:
            return values[value["value"]] if isinstance(value, dict) else value

        frames = {key: _frame(frame, get) for key, frame in found.state.frames.items()}
        state = _state(found.state, get)
    except (msgspec.DecodeError, KeyError, IndexError, TypeError) as error:
        raise Unreadable(f"the snapshot can't be read: {error}") from None
    state.frames = frames
    return msgspec.structs.replace(found, state=state, values=[])


def _state(state: State, change: Any) -> State:
    return msgspec.structs.replace(
        state, input=change(state.input), context=change(state.context), output=change(state.output)
    )


def _frame(frame: Frame, change: Any) -> Frame:
    fields = {name: change(getattr(frame, name)) for name in _SHARED}
    outputs = {key: change(value) for key, value in frame.outputs.items()}
    return msgspec.structs.replace(frame, **fields, outputs=outputs)
