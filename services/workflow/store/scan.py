"""A look at the headers of the last message of each subject: all that is known about all runs, without a payload."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.workflow.store.jetstream import TIMEOUT, JetStream, Unavailable
from services.workflow.store.messages import Message, place

_PAGE = 1000
"""Messages asked for at once: few enough that whoever looks at them does not stop the loop."""


async def scan(js: JetStream, stream: str, subject: str) -> AsyncIterator[list[Message]]:
    """The last message, without its data, of every subject that ``subject`` matches, in pages. One that changes
    meanwhile may come twice, the later one later. Raises Unavailable.

    It takes a short-lived consumer, since a batch get refuses more than 1,024 subjects.
    """
    config = {
        "deliver_policy": "last_per_subject",
        "filter_subject": subject,
        "headers_only": True,
        "ack_policy": "none",
        "mem_storage": True,
        "num_replicas": 1,
        "inactive_threshold": int(30e9),
    }
    made = await js.api(f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config})
    if made["num_pending"]:
        async for page in _Reader(js, stream, made["name"]).read():
            yield page
    await js.request(f"$JS.API.CONSUMER.DELETE.{stream}.{made['name']}")  # else it ends by itself


class _Reader:
    """Reads a pull consumer to its end."""

    def __init__(self, js: JetStream, stream: str, consumer: str) -> None:
        self._js = js
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._found: list[Message] = []
        self._pending = 1
        self._page: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def read(self) -> AsyncIterator[list[Message]]:
        """All there is, in pages."""
        bus = self._js.bus
        inbox = bus.new_inbox()
        subscription = await bus.subscribe(inbox, cb=self._take)
        bus.deliver_at_once(subscription, self._take)
        body = json.dumps({"batch": _PAGE, "no_wait": True}).encode()
        try:
            while self._pending:
                self._page, self._found = asyncio.get_running_loop().create_future(), []
                async with asyncio.timeout(TIMEOUT):
                    await bus.publish(self._next, body, inbox)
                    await self._page
                yield self._found
        except (TimeoutError, NatsError) as error:
            raise Unavailable(f"a scan of runs: {error or 'timed out'}") from None
        finally:
            with suppress(NatsError):
                await subscription.unsubscribe()

    async def _take(self, message: Msg) -> None:
        if message.reply:
            found = place(message.reply)
            self._pending = found.pending
            self._found.append(Message(message.subject, found.sequence, message.headers or {}, message.data))
        else:  # a status: nothing is left
            self._pending = 0
            headers: dict[str, Any] = message.headers or {}
            if headers.get("Status") not in ("404", "408") and not self._page.done():
                self._page.set_exception(Unavailable(f"a scan of runs: {headers}"))
        if (len(self._found) == _PAGE or self._pending == 0) and not self._page.done():
            self._page.set_result(None)
