"""What a call to the outside may take."""

import msgspec

from services.workflow.calls.addresses import Network

MIB = 1 << 20


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """``allowed``: networks that may be reached although they are loopback, private or otherwise special."""

    allowed: tuple[Network, ...] = ()
    connect: float = 10.0
    """Seconds until a connection is made, name lookup and TLS included."""
    total: float = 300.0
    """Seconds for one call with its redirects and authentication; the task's own timeout comes on top."""
    max_request: int = 4 * MIB
    """Bytes of a request's body."""
    max_answer: int = 4 * MIB
    """Bytes of an answer's body, after decompression."""
    max_document: int = 8 * MIB
    """Bytes of an OpenAPI or AsyncAPI document in JSON."""
    schema: float = 10.0
    """Seconds for a schema of a definition, redirects and authentication included: whoever deploys it waits."""
    max_schema: int = 512 * 1024
    """Bytes of a schema: as many as a definition may have."""
    max_schemas: int = 64
    """Schemas fetched at once; more wait, which costs them none of their time."""
    max_redirects: int = 5
    max_calls: int = 256
    """Requests under way at once; more wait, which costs them none of their time. Subscriptions don't count."""
