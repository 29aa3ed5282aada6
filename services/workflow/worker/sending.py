"""Requests as bytes."""

from typing import Any

import msgspec

from services.workflow.engine import stimuli as s
from services.workflow.worker import protocol as p

_encode = msgspec.msgpack.Encoder().encode
_LEAST, _MOST = -(1 << 63), (1 << 64) - 1


def encoded(request: p.Request) -> bytes:
    """The request. JSON has whole numbers of any size, the encoding has not: those beyond 64 bits become floating
    point, which is what jq would make of them anyway."""
    try:
        return _encode(request)
    except OverflowError:
        assert isinstance(request, p.Step)
        stimuli = [_narrowed(stimulus) for stimulus in request.stimuli]
        return _encode(msgspec.structs.replace(request, stimuli=stimuli, secrets=_floats(request.secrets)))


def _narrowed(stimulus: p.Wanted) -> p.Wanted:
    if isinstance(stimulus, s.EventArrived):
        return msgspec.structs.replace(stimulus, event=_floats(stimulus.event))
    if isinstance(stimulus, s.CallEnded):
        return msgspec.structs.replace(stimulus, output=_floats(stimulus.output), error=_floats(stimulus.error))
    if isinstance(stimulus, s.Start):
        return msgspec.structs.replace(stimulus, input=_floats(stimulus.input))
    return stimulus


def _floats(value: Any) -> Any:
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        try:
            return float(value)
        except OverflowError:
            return None
    if isinstance(value, dict):
        return {key: _floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return value
