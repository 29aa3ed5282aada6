"""Answers to "what is the state of this function?", from the watch's last word."""

import msgspec

from services.contracts import headers
from services.contracts.messages import Description
from services.contracts.names import FunctionRef
from services.contracts.resources import Function
from services.router import coldstart, errors, reply

_encode = msgspec.json.Encoder().encode


def describe(ref: FunctionRef, function: Function | None, synced: bool) -> reply.Reply:
    """The Description of ``function`` as a reply, or the error that there is none (or that nothing is known yet)."""
    if function is None and not synced:
        return reply.from_error(errors.not_told_yet())
    if function is None:
        return reply.from_error(coldstart.not_found(ref))
    status = function.status
    body = _encode(
        Description(
            name=ref.name,
            namespace=ref.namespace,
            replicas=status.replicas,
            ready_replicas=status.ready_replicas,
            revision=status.revision,
            conditions=status.conditions,
        )
    )
    return reply.Reply(200, "", {headers.STATUS: "200", headers.CONTENT_TYPE: "application/json"}, body)
