"""Settings of the workflow service; each comes from the environment, ``workers`` from ``FAAS_WORKERS``."""

from typing import Annotated

from msgspec import Meta

from services.common.settings import Common
from services.workflow.calls.addresses import InvalidNetwork, parse_networks

Seconds = Annotated[float, Meta(gt=0.0, le=3600.0)]
DAY = 86_400.0


class Settings(Common, frozen=True, kw_only=True):
    """What an operator may choose. Durations are seconds."""

    replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    """Copies of each stream and bucket in JetStream: 1 with a single nats-server, 3 with a cluster of them."""
    run_retention: Annotated[float, Meta(ge=60.0, le=3650 * DAY)] = 7 * DAY
    """How long the history of a run is kept after its end."""
    workers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Worker processes, which evaluate expressions; 0: one for each processor."""
    worker_memory: Annotated[int, Meta(ge=64, le=65_536)] = 512
    """MiB of address space beyond what a fresh worker has; an expression that wants more fails."""
    worker_seconds: Annotated[float, Meta(ge=0.05, le=60.0)] = 1.0
    """Processor time that one evaluation of an expression or schema may take; it then fails."""
    alive_seconds: Annotated[float, Meta(ge=0.05, le=60.0)] = 0.5
    """How often this instance gives a sign of life."""
    dead_seconds: Annotated[float, Meta(ge=0.1, le=600.0)] = 1.5
    """After so long without a sign of life others take an instance's runs; the same for all instances."""
    scan_seconds: Annotated[float, Meta(ge=0.1, le=3600.0)] = 60.0
    """How often runs without a living owner are looked for when nobody is known to have died."""
    call_patience: Annotated[float, Meta(ge=0.0, le=3600.0)] = 60.0
    """How long a call that the platform can't take now (no router, overloaded …) is tried again before it is an error
    of the task. Time without a connection to NATS does not count."""
    max_calls: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    """Calls of functions under way at once; more wait."""
    drain_seconds: Annotated[float, Meta(ge=0.0, le=3600.0)] = 25.0
    """How long after SIGTERM calls under way may take to end; their runs are handed over with them."""
    allowed_addresses: str = ""
    """Networks such as ``10.1.0.0/16``, separated by commas, that HTTP calls of workflows may reach although they are
    loopback, private or link-local."""

    def __post_init__(self) -> None:
        """Refuses times with which instances that are alive would be held for dead, and what is no network."""
        if not 2 * self.alive_seconds <= self.dead_seconds:
            raise ValueError("2 * FAAS_ALIVE_SECONDS <= FAAS_DEAD_SECONDS must hold")
        try:
            parse_networks(self.allowed_addresses)
        except InvalidNetwork as error:
            raise ValueError(f"FAAS_ALLOWED_ADDRESSES: {error}") from None
