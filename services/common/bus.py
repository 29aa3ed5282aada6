"""The connection to NATS, as every service makes it."""

import logging

import nats
from nats.aio.client import Client

from services.common.settings import Common, read_secret

log = logging.getLogger("bus")

RECONNECT_WAIT = 0.1
"""Seconds between attempts: a restarted nats-server is found again well within a second."""
PING_INTERVAL = 2
"""Seconds: a stopped or unreachable nats-server is noticed after about two unanswered pings."""


async def connect(settings: Common, name: str) -> Client:
    """A connection that survives restarts of nats-server, also one that is not there yet.

    Its replies come to ``_INBOX.<user>.>``, the only inbox that the service's user may read, so no service reads
    another's replies. Waits without limit for the first connection; cancel it to give up.
    """

    async def on_error(error: Exception) -> None:
        log.warning("nats: %s", error or type(error).__name__)

    async def on_disconnected() -> None:
        log.warning("nats: disconnected")

    async def on_reconnected() -> None:
        log.info("nats: reconnected")

    return await nats.connect(
        servers=settings.nats_url.split(","),
        name=name,
        user=settings.nats_user or None,
        password=read_secret(settings.nats_password_file) or None,
        inbox_prefix=f"_INBOX.{settings.nats_user or name}",
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=RECONNECT_WAIT,
        connect_timeout=2,
        ping_interval=PING_INTERVAL,
        max_outstanding_pings=2,
        error_cb=on_error,
        disconnected_cb=on_disconnected,
        reconnected_cb=on_reconnected,
    )
