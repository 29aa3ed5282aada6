"""Which calls may be made again when nobody knows whether they were carried out. Pure."""

from typing import Any

from services.contracts.workflow.calls import AsyncApiArguments, HttpArguments

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
IDEMPOTENT = SAFE | {"PUT", "DELETE"}
"""RFC 9110, 9.2.2."""


def repeatable(kind: str, arguments: Any) -> bool:
    """Whether a call has the same effect when it is made twice.

    An ``openapi`` call is not: its method is in a document that is elsewhere. A subscription takes messages from now
    on, so it is; publishing is not.
    """
    if kind == "http" and isinstance(arguments, HttpArguments):
        return str(arguments.method).upper() in IDEMPOTENT
    return kind == "asyncapi" and isinstance(arguments, AsyncApiArguments) and arguments.subscription is not None
