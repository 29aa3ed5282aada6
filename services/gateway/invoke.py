"""A call: from a checked HTTP request to a message, and from the reply to an HTTP answer. The hot path."""

import itertools
import logging
import secrets
import time
from typing import Any

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.replies import LONGEST, Replies
from services.contracts import events, headers, subjects
from services.contracts.errors import Code, FaasError
from services.contracts.messages import Description
from services.contracts.names import FunctionRef
from services.gateway.config import DESCRIBE_SECONDS
from services.gateway.metrics import CallMetrics
from services.gateway.request import Fields, Receive, call_headers, caller_id, check_length, read_body
from services.gateway.respond import Raw, Send, reply_headers, send_body, status_of

log = logging.getLogger("invoke")

_TIMEOUT_GRACE = 1.0
"""Seconds that a router may be late with saying that the caller's time is over, before this side says it."""


class Invoker:
    """Calls and describes functions over the bus."""

    def __init__(self, replies: Replies, metrics: CallMetrics, instance: str) -> None:
        self._replies = replies
        self._metrics = metrics
        self._progress = subjects.progress(instance)
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def new_id(self, found: Fields) -> str:
        """The caller's id of its call, or a new one: this process's random prefix and a number. Raises FaasError."""
        return caller_id(found) or f"{self._prefix}-{next(self._numbers):x}"

    async def invoke(self, ref: FunctionRef, found: Fields, call_id: str, receive: Receive, send: Send) -> None:
        """Calls ``ref`` with the request's body and sends the function's answer. Raises FaasError, Disconnected."""
        await self.call(ref, call_headers(found, call_id), found, call_id, receive, send)

    async def call(
        self, ref: FunctionRef, fields: dict[str, str], found: Fields, call_id: str, receive: Receive, send: Send
    ) -> None:
        """Calls ``ref`` with ``fields`` as the message's headers. A caller that leaves meanwhile ends nothing."""
        began = time.monotonic()
        fields[headers.PROGRESS] = self._progress
        bus = self._replies.connection()
        limit = body_limit(fields, bus.max_payload)
        check_length(found, limit)
        body = await read_body(receive, limit)
        try:
            await bus.publish(
                *events.function_event(ref, events.RECEIVED, call_id, events.Received(call_id, "http"), time.time())
            )
        except NatsError as error:  # the request below meets the same broken connection and says so
            log.warning("an event was not published: %s", error)
        asked = fields.get(headers.TIMEOUT_MS)
        seconds = int(asked) / 1000 + _TIMEOUT_GRACE if asked else LONGEST
        waiting = self._replies.request(subjects.invoke(ref), fields, body, call_id, seconds)
        del body
        reply = await waiting
        answered = reply.headers or {}
        status = status_of(answered)
        if answered.get(headers.ERROR) != Code.FUNCTION_NOT_FOUND:
            self._metrics.answered(ref, status, time.monotonic() - began)
        out = reply_headers(answered, call_id)
        if b"prefer" in found and b"faas-cold-start" not in found and headers.COLD_START in fields:
            out.append((b"preference-applied", b"wait"))  # RFC 7240 section 3
        await send_body(send, status, out, reply.data)

    async def describe(self, ref: FunctionRef, call_id: str, send: Send) -> None:
        """Sends the function's state as the routers know it. Raises FaasError."""
        try:
            reply = await self._replies.request(
                subjects.describe(ref), {headers.ID: call_id}, b"", "", DESCRIBE_SECONDS
            )
        except FaasError as error:
            if error.code is Code.DEADLINE_EXCEEDED:
                raise FaasError(Code.ROUTER_LOST, "no router described the function in time") from None
            raise
        answered = reply.headers or {}
        status, body = 200, reply.data
        if headers.STATUS in answered:
            status = status_of(answered)
        if status == 200:
            body = _description(reply)
        out: Raw = reply_headers(answered | {headers.CONTENT_TYPE: "application/json"}, call_id)
        await send_body(send, status, out, body)


def body_limit(fields: dict[str, str], max_payload: int) -> int:
    """Bytes of body that fit into one message beside these headers. Raises FaasError when the headers are too large."""
    headers.check_size(fields, b"")
    return min(headers.MAX_PAYLOAD, max_payload) - headers.size(fields)


def _description(reply: Msg) -> bytes:
    described: dict[str, Any] = msgspec.to_builtins(msgspec.json.decode(reply.data, type=Description))
    described.pop("version")  # of the message on the bus, not of the function
    return msgspec.json.encode(described)
