"""The connection to NATS, as every service makes it."""

import asyncio
import logging
from collections.abc import Callable

from nats.aio.subscription import Subscription

from services.common.natsclient import FastClient
from services.common.settings import Common, read_secret

log = logging.getLogger("bus")

RECONNECT_WAIT = 0.1
"""Seconds between attempts: a restarted nats-server is found again well within a second."""
PING_INTERVAL = 2
"""Seconds: a stopped or unreachable nats-server is noticed after about two unanswered pings."""


async def connect(settings: Common, name: str) -> FastClient:
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

    client = FastClient()
    connecting = asyncio.create_task(
        client.connect(
            servers=settings.nats_url.split(","),
            name=name,
            user=settings.nats_user or None,
            password=_password(settings.nats_password_file),
            inbox_prefix=f"_INBOX.{settings.nats_user or name}",
            skip_subject_validation=True,  # subjects are made of checked names only (contracts.subjects)
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT,  # type: ignore[arg-type]  # it is slept, any number of seconds will do
            connect_timeout=2,
            ping_interval=PING_INTERVAL,
            max_outstanding_pings=2,
            error_cb=on_error,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
        )
    )
    try:
        await asyncio.wait({connecting})
    except asyncio.CancelledError:
        # its attempts go through wait_for, which swallows a cancellation that meets their end (CPython before 3.12)
        while not connecting.done():
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=RECONNECT_WAIT)
        raise
    connecting.result()
    return client


def _password(path: str) -> Callable[[], str] | None:
    """What nats-py asks for the password at each connect; None without a file. Raises OSError for an unreadable one."""
    return (lambda: read_secret(path)) if read_secret(path) else None


async def leave(client: FastClient, subscription: Subscription) -> None:
    """Ends ``subscription``; returns when all that nats-server had sent for it has been handed over.

    nats-py's ``drain`` alone loses messages (33 of 100,000 requests while a member left its queue group 300 times): it
    writes the PING whose answer it waits for ahead of the UNSUB that it has only queued. So the UNSUB goes out first.
    """
    await client._send_unsubscribe(subscription._id)
    await client._flush_pending(force_flush=True)
    await subscription.drain()  # type: ignore[no-untyped-call]
