"""The engine's stimuli of those that the service gives undecoded."""

from typing import Any

import msgspec

from services.workflow.engine import stimuli as s
from services.workflow.engine.errors import standard
from services.workflow.worker.protocol import Answered, Begin, Wanted

_decode = msgspec.json.Decoder().decode


def decoded(wanted: Wanted) -> s.Stimulus:
    """The stimulus. Raises msgspec.DecodeError for a Begin whose input is no JSON: the service has checked it."""
    if isinstance(wanted, Begin):
        return s.Start(id=wanted.id, seed=wanted.seed, input=_decode(wanted.input) if wanted.input else None)
    if isinstance(wanted, Answered):
        return _answered(wanted)
    return wanted


def _answered(answered: Answered) -> s.CallEnded:
    output: Any = None
    try:
        output = _decode(answered.output) if answered.output else None
    except (msgspec.DecodeError, RecursionError) as error:
        raised = standard("runtime", f"the answer is not JSON: {error}")
        return s.CallEnded(task=answered.task, error=raised.error)
    return s.CallEnded(task=answered.task, output=output)
