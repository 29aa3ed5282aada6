"""Settings of the router. Each field is read from the environment: ``queue_calls`` from ``FAAS_QUEUE_CALLS``."""

from typing import Annotated

from msgspec import Meta

from services.common.settings import Common

Seconds = Annotated[float, Meta(gt=0.0, le=3600.0)]
Count = Annotated[int, Meta(ge=1)]


class RouterSettings(Common, frozen=True, kw_only=True):
    """What can be set, with units and defaults."""

    queue_calls: Count = 10_000
    """Waiting calls of all functions together."""
    queue_bytes: Count = 256 * 1024 * 1024
    """Bytes of their bodies."""
    function_queue_calls: Count = 2_000
    """Waiting calls of one function."""
    function_queue_bytes: Count = 64 * 1024 * 1024
    """Bytes of their bodies."""
    max_wait: Seconds = 60.0
    """Seconds that a call without ``Faas-Timeout-Ms`` waits at most, for a start or for a Pod with room."""
    sync_wait: Seconds = 5.0
    """Seconds that calls wait at most for the first list of Functions and Pods after the router's own start."""
    connect_timeout: Seconds = 1.0
    """Seconds for a connection to a Pod; one that takes longer counts as refused."""
    idle_timeout: Seconds = 4.0
    """Seconds after which an unused connection to a Pod is closed: before common servers close theirs (5 s)."""
    drain: Seconds = 30.0
    """Seconds that calls in flight have to end after SIGTERM."""
