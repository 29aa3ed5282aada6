"""Events of the platform: CloudEvents 1.0 in the JSON format, one NATS message each."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from services.contracts import subjects
from services.contracts.names import FunctionRef

RECEIVED = "received"
COMPLETED = "completed"
FAILED = "failed"
SCALED = "scaled"


class Received(msgspec.Struct, frozen=True, rename="camel"):
    """A call was accepted at the door named by ``via`` (``http``, ``nats`` or ``workflow``)."""

    id: str
    via: str
    version: int = 1


class Ended(msgspec.Struct, frozen=True, rename="camel"):
    """A call was answered: ``completed`` below status 400, ``failed`` from it on. ``code`` is the stable error code."""

    id: str
    status: int
    duration_ms: float
    pod: str = ""
    code: str = ""
    version: int = 1


class Scaled(msgspec.Struct, frozen=True, rename="camel"):
    """The scaler asked for another number of replicas; ``reason`` says why in a few words."""

    replicas: int
    previous: int
    reason: str
    version: int = 1


class CloudEvent(msgspec.Struct, frozen=True):
    """CloudEvents 1.0 context attributes and data (JSON event format, section 2)."""

    id: str
    source: str
    type: str
    time: str
    data: Received | Ended | Scaled | msgspec.Raw
    datacontenttype: str = "application/json"
    specversion: str = "1.0"


_encode = msgspec.json.Encoder().encode


def timestamp(now: float) -> str:
    """Unix seconds as RFC 3339 has them, to the microsecond, in UTC."""
    second = int(now)
    return f"{_to_the_second(second)}.{int((now - second) * 1e6):06d}Z"


@lru_cache(maxsize=4)  # made once a second, not twice a call
def _to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def function_event(
    ref: FunctionRef, verb: str, event_id: str, data: Received | Ended | Scaled, now: float
) -> tuple[str, bytes]:
    """Subject and payload of a Function's event. ``event_id`` is unique per source and verb; ``now``: Unix seconds."""
    event = CloudEvent(
        id=event_id,
        source=f"/namespaces/{ref.namespace}/functions/{ref.name}",
        type=f"dev.faas.function.{verb}",
        time=timestamp(now),
        data=data,
    )
    return subjects.event(ref.namespace, "function", ref.name, verb), _encode(event)
