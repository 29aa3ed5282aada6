"""Requests to JetStream with one subscription for all answers, each a future or a list in a dict.

nats-py's own ``request`` costs four times as much CPU, and an answer in several messages (a direct batch get, NATS
ADR-31) is none that it knows.
"""

import asyncio
import base64
import itertools
import json
import time
from collections.abc import Mapping
from typing import Any

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts.errors import FaasError
from services.contracts.headers import check_size
from services.workflow.store.messages import Message, message_of

TIMEOUT = 5.0
"""Seconds for one answer."""
PATIENCE = 10.0
_FIRST_TRY = 1.0
"""Seconds for the first attempt: a restarted nats-server has forgotten what it had not stored."""
_WRONG_LAST_SEQUENCE = (10071, 10164)
"""JetStream's error codes for a compare-and-set that somebody else won (by subject; by a subject's filter)."""
_NO_MESSAGE = 10037
"""JetStream's error code for a subject that has no message."""
TOO_LARGE = 10054
"""JetStream's error code for a message that is over a limit."""
_PAGE_BYTES = 4 * 1024 * 1024
_PAGE = 1000
"""Messages of one batch: the server answers at most 1,024 subjects at once."""


class Outrun(Exception):
    """Somebody else wrote to the subject since: nothing was stored."""


class Unavailable(Exception):
    """JetStream gave no answer. What was to be written may be stored or not: read again to know."""


class Refused(Unavailable):
    """JetStream answered with an error: nothing was done. ``code`` is its ``err_code``."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Error | None = None


_decode_ack = msgspec.json.Decoder(_Ack).decode


class _Batch:
    """The answers to one request that has several; ``end`` is the last one, which is no message."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.end: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()


class JetStream:
    """Requests to JetStream over one connection. ``open`` it before use."""

    def __init__(self, bus: FastClient) -> None:
        self.bus = bus
        self._inbox = ""
        self._numbers = itertools.count(1)
        self._single: dict[str, asyncio.Future[Msg]] = {}
        self._batches: dict[str, _Batch] = {}

    async def open(self) -> None:
        """Subscribes to the answers."""
        self._inbox = self.bus.new_inbox() + "."
        subscription = await self.bus.subscribe(self._inbox + "*", cb=self._on_answer)
        self.bus.deliver_at_once(subscription, self._on_answer)
        self.bus.lost.append(self._on_lost)

    def _on_lost(self) -> None:
        waiting: list[asyncio.Future[Any]] = [*self._single.values()]
        waiting += [batch.end for batch in self._batches.values()]
        for future in waiting:
            if not future.done():
                future.set_exception(Unavailable("the connection to NATS broke off before the answer came"))

    async def _on_answer(self, answer: Msg) -> None:
        token = answer.subject[len(self._inbox) :]
        single = self._single.get(token)
        if single is not None:
            if not single.done():
                single.set_result(answer)
            return
        batch = self._batches.get(token)
        if batch is None or batch.end.done():
            return
        headers: Mapping[str, str] = answer.headers or {}
        if "Nats-Sequence" in headers:
            batch.messages.append(message_of(headers, answer.data))
        else:
            batch.end.set_result(headers)

    async def request(
        self, subject: str, body: bytes = b"", headers: dict[str, str] | None = None, timeout: float = TIMEOUT
    ) -> Msg:
        """One request with one answer. Raises Unavailable when there is none within ``timeout`` seconds."""
        token = str(next(self._numbers))
        future = self._single[token] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                await self.bus.publish(subject, body, self._inbox + token, headers)
                answer: Msg = await future
        except (TimeoutError, NatsError) as error:
            raise Unavailable(f"no answer from JetStream to {subject}: {error or 'timed out'}") from None
        finally:
            del self._single[token]
        if not answer.data and answer.headers and answer.headers.get("Status") == "503":
            raise Unavailable(f"JetStream does not take {subject} now (no responders)")
        return answer

    async def publish(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None, timeout: float = TIMEOUT
    ) -> int:
        """Stores a message; its sequence. A duplicate by ``Nats-Msg-Id`` has the sequence of the first.

        Raises Outrun when an expected sequence is not the last one; Refused; Unavailable.
        """
        _check_size(subject, body, headers or {})
        answer = await self.request(subject, body, headers, timeout)
        try:
            ack = _decode_ack(answer.data)
        except msgspec.DecodeError as error:
            raise Unavailable(f"an answer to {subject} that is none: {error}") from None
        if ack.error is not None:
            if ack.error.err_code in _WRONG_LAST_SEQUENCE:
                raise Outrun(ack.error.description)
            raise Refused(ack.error.err_code, ack.error.description)
        return ack.seq

    async def insist(
        self, subject: str, body: bytes, headers: dict[str, str] | None = None, patience: float = PATIENCE
    ) -> int:
        """As ``publish``, for what may be sent again: asks again for ``patience`` seconds when there is no answer."""
        end, seconds = time.monotonic() + patience, _FIRST_TRY
        while True:
            try:
                return await self.publish(subject, body, headers, seconds)
            except Refused:
                raise
            except Unavailable:
                if time.monotonic() >= end:
                    raise
                seconds = min(2 * seconds, PATIENCE)
                await asyncio.sleep(0.05)

    async def api(self, verb: str, body: Any = None, timeout: float = TIMEOUT) -> dict[str, Any]:
        """Asks ``$JS.API.<verb>``. Raises Refused; Unavailable."""
        payload = b"" if body is None else json.dumps(body).encode()
        answer = await self.request(f"$JS.API.{verb}", payload, timeout=timeout)
        made: dict[str, Any] = json.loads(answer.data)
        if "error" in made:
            raise Refused(made["error"].get("err_code", 0), made["error"].get("description", ""))
        return made

    async def last(self, stream: str, subject: str) -> Message | None:
        """The last message on ``subject``, perhaps of a moment ago: any replica may answer. Raises Unavailable."""
        answer = await self.request(f"$JS.API.DIRECT.GET.{stream}.{subject}")
        headers: Mapping[str, str] = answer.headers or {}
        return message_of(headers, answer.data) if "Nats-Sequence" in headers else None

    async def sure_last(self, stream: str, subject: str) -> Message | None:
        """The last message on ``subject`` as the stream's leader has it. Raises Unavailable."""
        try:
            found = (await self.api(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject}))["message"]
        except Refused as error:
            if error.code == _NO_MESSAGE:
                return None
            raise
        lines = base64.b64decode(found.get("hdrs", "")).decode().split("\r\n")[1:]
        headers = {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}
        headers["Nats-Time-Stamp"] = found["time"]
        return Message(found["subject"], found["seq"], headers, base64.b64decode(found.get("data", "")))

    async def read(self, stream: str, subject: str, start: int = 1, limit: int | None = None) -> list[Message]:
        """Messages on ``subject`` (may have wildcards) from the sequence ``start`` on, in order, ``limit`` at most.
        Raises Unavailable."""
        found: list[Message] = []
        while limit is None or len(found) < limit:
            batch = _PAGE if limit is None else min(_PAGE, limit - len(found))
            if not await self._batch(stream, {"seq": start, "next_by_subj": subject, "batch": batch}, found):
                break
            start = found[-1].sequence + 1
        return found

    async def page(self, stream: str, subject: str, start: int, since: str = "") -> list[Message]:
        """Some of the messages on ``subject`` from the sequence ``start`` on, or from the time ``since`` (RFC 3339):
        no more than are well kept in memory. Raises Unavailable."""
        found: list[Message] = []
        begin: dict[str, Any] = {"start_time": since} if since else {"seq": start}
        await self._batch(stream, begin | {"next_by_subj": subject, "batch": _PAGE, "max_bytes": _PAGE_BYTES}, found)
        return found

    async def count(self, stream: str, subject: str, start: int = 1) -> int:
        """How many messages ``subject`` has from the sequence ``start`` on. Raises Unavailable."""
        found: list[Message] = []
        end = await self._batch(stream, {"seq": start, "next_by_subj": subject, "batch": 1}, found)
        return len(found) + end

    async def lasts(self, stream: str, subjects: list[str]) -> list[Message]:
        """The last message of each of some subjects, in no order; those that have none are left out."""
        found: list[Message] = []
        for first in range(0, len(subjects), _PAGE):
            wanted = subjects[first : first + _PAGE]
            start = 1
            while await self._batch(stream, {"seq": start, "multi_last": wanted, "batch": len(wanted)}, found):
                start = found[-1].sequence + 1
        return found

    async def _batch(self, stream: str, body: dict[str, Any], found: list[Message]) -> int:
        """Adds the answers to a batch get to ``found``; how many more there are."""
        token = str(next(self._numbers))
        batch = self._batches[token] = _Batch()
        try:
            async with asyncio.timeout(TIMEOUT):
                payload = json.dumps(body).encode()
                await self.bus.publish(f"$JS.API.DIRECT.GET.{stream}", payload, self._inbox + token)
                end = await batch.end
        except (TimeoutError, NatsError) as error:
            raise Unavailable(f"reading from {stream}: {error or 'timed out'}") from None
        finally:
            del self._batches[token]
        status = end.get("Status")
        if status == "404":
            return 0
        if status != "204":
            raise Unavailable(f"reading from {stream}: {status} {end.get('Description', 'no status')}")
        found += batch.messages
        return int(end.get("Nats-Num-Pending", "0")) if batch.messages else 0


def _check_size(subject: str, body: bytes, fields: dict[str, str]) -> None:
    """Refuses what nats-server would answer by closing the connection."""
    try:
        check_size(fields, body)
    except FaasError as error:
        raise Refused(TOO_LARGE, f"a message on {subject}: {error.message}") from None
