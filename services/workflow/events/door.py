"""The door for CloudEvents: ``faas.send.<namespace>``, request-reply, answered when the event is stored."""

import asyncio
import logging

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from services.common.natsclient import FastClient
from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.contracts.names import InvalidName, check_label
from services.workflow.events.cloudevents import read
from services.workflow.store.events import EventStore
from services.workflow.store.jetstream import Refused, Unavailable

log = logging.getLogger("events")

MOST = 1000
"""Events that are being stored at once; more are told to come again."""


class Accepted(msgspec.Struct, frozen=True):
    """The answer: the event's id, and its place among all events."""

    id: str
    sequence: int
    version: int = 1


class Door:
    """Takes events from callers."""

    def __init__(self, store: EventStore, bus: FastClient, tasks: asyncio.TaskGroup) -> None:
        self._store, self._bus, self._tasks = store, bus, tasks
        self._waiting = 0

    async def on_event(self, message: Msg) -> None:
        """``faas.send.<namespace>``: the body is a CloudEvent."""
        self._tasks.create_task(self._answer(message))

    async def _answer(self, message: Msg) -> None:
        self._waiting += 1
        try:
            accepted = await self._take(message)
            fields, body = {headers.STATUS: "202", headers.CONTENT_TYPE: "application/json"}, accepted
        except FaasError as error:
            fields, body = headers.of_error(error), error.body()
        finally:
            self._waiting -= 1
        if message.reply:
            try:
                await self._bus.publish(message.reply, body, headers=fields)
            except NatsError as error:
                log.warning("an answer was lost: %s", error)

    async def _take(self, message: Msg) -> bytes:
        """Stores the event of a message. Nothing of its headers goes along: a foreign ``Nats-Msg-Id`` would make
        another's event a duplicate. Raises FaasError."""
        if self._waiting > MOST:
            raise FaasError(Code.OVERLOADED, "too many events are being stored", retry_after=1)
        try:
            namespace = check_label(message.subject.rpartition(".")[2], "namespace")
        except InvalidName as error:
            raise FaasError(Code.INVALID_NAME, str(error)) from None
        event = read(namespace, message.headers or {}, message.data)
        try:
            sequence = await self._store.put(namespace, event.data, event.key)
        except Refused as error:
            log.error("an event was refused: %s", error)
            raise FaasError(Code.OVERLOADED, "the event store takes nothing now; try again", retry_after=1) from None
        except Unavailable as error:
            log.warning("an event was not stored: %s", error)
            raise FaasError(
                Code.BUS_UNAVAILABLE, "the event store does not answer; sending the event again is safe", retry_after=1
            ) from None
        return msgspec.json.encode(Accepted(event.id, sequence))
