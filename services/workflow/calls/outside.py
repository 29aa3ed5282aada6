"""The door to what is outside the platform: one object for all calls of an instance."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver

from services.contracts.workflow.auth import ExternalResource
from services.contracts.workflow.calls import AsyncApiArguments, HttpArguments, OpenApiArguments
from services.workflow.calls import http, openapi
from services.workflow.calls.asyncapi import AsyncApi
from services.workflow.calls.authorize import Sender
from services.workflow.calls.documents import Documents
from services.workflow.calls.exchange import Exchange, once
from services.workflow.calls.limits import Limits
from services.workflow.calls.network import Network
from services.workflow.calls.problems import CallError

log = logging.getLogger("calls")

Deliver = Callable[[dict[str, Any]], Awaitable[None]]
"""Takes a message of a subscription; the next one is read when it has returned."""


class Answer(msgspec.Struct, frozen=True):
    """A call's output, or its error (RFC 7807 without ``instance``)."""

    output: Any = None
    error: dict[str, Any] | None = None


class Outside:
    """Calls of workflows by ``http``, ``openapi`` and ``asyncapi``. One attempt is one request; nothing is kept from
    one call to the next but tokens, by their policy, and documents, for a minute. Use as a context manager."""

    def __init__(self, limits: Limits = Limits(), resolver: AbstractResolver | None = None) -> None:  # noqa: B008
        self._limits = limits
        self._resolver = resolver
        self._slots = asyncio.Semaphore(limits.max_calls)
        self._schema_slots = asyncio.Semaphore(limits.max_schemas)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Outside":
        network = self._network = self.network()
        self._session = aiohttp.ClientSession(
            connector=network.connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect),
            auto_decompress=False,
            trust_env=False,
            middlewares=(once,),
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        )
        self._sender = Sender(self.exchange(self._session), self._limits.max_redirects)
        self._documents = Documents(self._sender, self._limits.max_document)
        self._asyncapi = AsyncApi(network, self._documents, self._limits)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()
        await self._network.close()

    def network(self) -> Network:
        """Makes the connections."""
        return Network(self._limits, self._resolver)

    def exchange(self, session: aiohttp.ClientSession) -> Exchange:
        """Sends the requests."""
        return Exchange(session, self._limits)

    async def call(
        self, kind: str, arguments: Any, secrets: Mapping[str, Any], key: str, deliver: Deliver | None = None
    ) -> Answer:
        """Carries a call out. Cancelling it ends it; its text goes to no log.

        ``secrets``: those that the definition may use, by name; when there are any, errors and outputs show no more
        of the request than its origin. ``deliver``: for a subscription of ``asyncapi``, which has no output: it
        gives messages until it is cancelled, or ends with an error.
        """
        try:
            if isinstance(arguments, AsyncApiArguments) and arguments.subscription is not None:
                assert deliver is not None, "a subscription needs somebody to take its messages"
                async with aclosing(self._asyncapi.messages(arguments, secrets)) as messages:
                    async for message in messages:
                        await deliver(message)
            async with self._slots:
                return Answer(await self._timed(self._output(arguments, secrets, key), self._limits.total))
        except CallError as error:
            return Answer(error=error.error)
        except Exception as error:  # a defect of ours: the workflow gets an error that it can catch, we its type
            log.error("a call of kind %s failed: %s", kind, type(error).__name__)
            return Answer(error=CallError("communication", f"{kind}: the call failed: {type(error).__name__}").error)

    async def schema(self, resource: ExternalResource, secrets: Mapping[str, Any]) -> Any:
        """A JSON or YAML value from elsewhere, as it is now, by a constant URI and policy. Raises CallError."""
        limits = self._limits
        try:
            async with self._schema_slots:
                return await self._timed(self._documents.value(resource, secrets, limits.max_schema), limits.schema)
        except CallError:
            raise
        except Exception as error:  # a defect of ours, which is about one definition
            log.error("a schema could not be fetched: %s", type(error).__name__)
            raise CallError("communication", f"it could not be fetched: {type(error).__name__}") from None

    async def _timed(self, work: Awaitable[Any], seconds: float) -> Any:
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            raise CallError("timeout", f"no answer within {seconds:g} s") from None

    async def _output(self, arguments: Any, secrets: Mapping[str, Any], key: str) -> Any:
        if isinstance(arguments, HttpArguments):
            return await http.call(self._sender, arguments, secrets, key)
        if isinstance(arguments, OpenApiArguments):
            return await openapi.call(self._sender, self._documents, arguments, secrets, key)
        assert isinstance(arguments, AsyncApiArguments)
        await self._asyncapi.publish(arguments, secrets, key)
        return None
