"""Settings of the gateway; each comes from the environment, ``tokens_file`` from ``FAAS_TOKENS_FILE``."""

from typing import Annotated

from msgspec import Meta

from services.common.settings import Common


class Settings(Common, frozen=True, kw_only=True):
    """What an operator may choose."""

    tokens_file: str = ""
    """JSON file ``{"<token>": ["<namespace>", …] or ["*"]}``. Empty: no tokens are asked for, and requests with a
    foreign ``Host`` or ``Origin`` are refused instead. Read again when it changes."""
    allowed_hosts: str = ""
    """Names under which this gateway may be addressed beside its loopback ones, separated by commas: ``name`` for any
    port, ``name:port`` for one, ``*`` for all. Only looked at while no tokens are asked for."""
    archive_key_file: str = ""
    """File with the secret behind the tokens with which Pods fetch archives; the scaler has the same."""
    create_namespaces: bool = False
    """Whether deploying a function into a namespace that does not exist makes the namespace. The one-machine platform
    does; on a cluster the gateway would need the right to create namespaces."""
    archive_replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    """Copies of each archive in JetStream: 1 with a single nats-server, 3 with a cluster of them."""
    max_calls: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """Calls that may be open at once; more are answered ``overloaded``."""
    lame_duck_seconds: Annotated[float, Meta(ge=0, le=300)] = 1.0
    """How long after SIGTERM the gateway still takes requests, each answered with ``Connection: close`` and /readyz
    failing, so that a balancer has moved away before the port is closed."""
    drain_seconds: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    """How long open requests may take to finish once the port is closed."""


DESCRIBE_SECONDS = 2.0
"""How long routers may take to describe a function; they answer from memory."""
