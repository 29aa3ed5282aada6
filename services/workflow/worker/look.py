"""A run's state as people are shown it. Pure."""

import msgspec

from services.contracts.runs import Waiting
from services.workflow.engine.outstanding import outstanding
from services.workflow.engine.state import State
from services.workflow.worker.protocol import Looked

_encode = msgspec.json.Encoder().encode


def look(state: State) -> Looked:
    """How the run is."""
    return Looked(
        status=state.status,
        started_at=state.started_at,
        ended_at=state.ended_at,
        input=_encode(state.input),
        output=_encode(state.output) if state.status == "completed" else b"",
        error=b"" if state.error is None else _encode(state.error),
        waiting=waiting(state),
    )


def waiting(state: State) -> list[Waiting]:
    """All that an open run waits for, deadlines of tasks included."""
    found = []
    for kind, name in outstanding(state):
        frame = state.frames[int(name.partition(".")[0])]
        if kind != "timer":
            found.append(Waiting(pointer=frame.pointer, kind=kind))
        elif frame.waits in ("timer", "retry") and name.split(".")[1] in ("wait", "retry"):
            found.append(Waiting(pointer=frame.pointer, kind=frame.waits, until=frame.wait_until))
        elif not name.endswith(".enough"):
            until = frame.timeout_at if name.endswith(".timeout") else frame.attempt_until
            found.append(Waiting(pointer=frame.pointer, kind="timeout", until=until))
    return found
