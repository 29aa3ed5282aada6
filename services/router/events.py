"""Events of calls: ``received`` for callers who came by no gateway, ``completed`` or ``failed`` for all."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from services.contracts import subjects
from services.contracts.events import COMPLETED, FAILED, RECEIVED, CloudEvent, Ended, Received
from services.contracts.names import FunctionRef

_encode = msgspec.json.Encoder().encode
_COMPLETED_TYPE = f"dev.faas.function.{COMPLETED}"
_FAILED_TYPE = f"dev.faas.function.{FAILED}"
_RECEIVED_TYPE = f"dev.faas.function.{RECEIVED}"


class EventNames:
    """Source and subjects of one function's events, made once."""

    __slots__ = ("completed", "failed", "received", "source")

    def __init__(self, ref: FunctionRef) -> None:
        self.source = f"/namespaces/{ref.namespace}/functions/{ref.name}"
        self.received = subjects.event(ref.namespace, "function", ref.name, RECEIVED)
        self.completed = subjects.event(ref.namespace, "function", ref.name, COMPLETED)
        self.failed = subjects.event(ref.namespace, "function", ref.name, FAILED)


class Events:
    """Encodes events and hands them to ``send(subject, payload)``. ``wall`` gives Unix seconds."""

    def __init__(self, send: Callable[[str, bytes], None], wall: Callable[[], float]) -> None:
        self._send = send
        self._wall = wall
        self._second = -1
        self._prefix = ""

    def received(self, names: EventNames, call_id: str) -> None:
        """A call came straight over the bus."""
        data = Received(call_id, "nats")
        event = CloudEvent(call_id, names.source, _RECEIVED_TYPE, self._time(), data)
        self._send(names.received, _encode(event))

    def ended(self, names: EventNames, call_id: str, status: int, milliseconds: float, pod: str, code: str) -> None:
        """A call was answered."""
        data = Ended(call_id, status, round(milliseconds, 3), pod, code)
        if status < 400:
            self._send(names.completed, _encode(CloudEvent(call_id, names.source, _COMPLETED_TYPE, self._time(), data)))
        else:
            self._send(names.failed, _encode(CloudEvent(call_id, names.source, _FAILED_TYPE, self._time(), data)))

    def _time(self) -> str:
        """Now, as RFC 3339 has it; the part up to the second is made once a second."""
        now = self._wall()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{self._prefix}.{int((now - second) * 1e6):06d}Z"
