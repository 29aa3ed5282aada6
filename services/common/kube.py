"""The API server over kubernetes-asyncio's transport.

Objects are msgspec structs, not its models: 2 us a Pod against 470.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, Configuration
from yaml import YAMLError

log = logging.getLogger("kube")
T = TypeVar("T")

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_NO_POD = "FAAS_KUBECONFIG is not set, and this is no Pod with a service account"


class ApiError(Exception):
    """The API server's refusal, as its Status says it. ``status`` 0 and reason ``Unreachable``: there was no answer.

    ``causes`` has a line for each wrong field of an object that it found invalid.
    """

    def __init__(self, status: int, reason: str, message: str, causes: list[str] | None = None) -> None:
        super().__init__(f"{reason}: {message}" if reason else message)
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes or []


class _Cause(msgspec.Struct):
    field: str = ""
    message: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] = []


class _Status(msgspec.Struct):
    reason: str = ""
    message: str = ""
    details: _Details | None = None


class KubeClient:
    """One pooled connection to the API server. Use as an async context manager."""

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig

    async def __aenter__(self) -> Self:
        """Loads the kubeconfig, or the Pod's service account when the path was empty. Raises OSError that says what is
        wrong with it."""
        self._configuration = Configuration()
        try:
            if self._kubeconfig:
                await config.load_kube_config(config_file=self._kubeconfig, client_configuration=self._configuration)
            else:
                config.load_incluster_config(client_configuration=self._configuration)  # type: ignore[no-untyped-call]
        except (config.ConfigException, YAMLError, TypeError, AttributeError) as error:  # the latter of wrong types
            place = f"{self._kubeconfig} is no kubeconfig" if self._kubeconfig else _NO_POD
            raise OSError(f"no API server is known: {place}: {error}") from error
        self._host = str(self._configuration.host)
        self._client = ApiClient(self._configuration)
        self._session: aiohttp.ClientSession = self._client.rest_client.pool_manager
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session.connector is not None:
            await self._session.connector.close(abort_ssl=True)  # else a goodbye in TLS may outlive the event loop
        await self._client.close()

    async def _headers(self, content_type: str | None) -> dict[str, str]:
        # asked for on every request: the hook behind it renews a service account's token before it expires
        auth = await self._configuration.auth_settings()
        headers = {setting["key"]: setting["value"] for setting in auth.values() if setting["value"]}
        return headers | {"Accept": JSON} | ({"Content-Type": content_type} if content_type else {})

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        timeout: float = 10.0,
    ) -> bytes:
        """One request; the body of a 2xx answer. ``body`` is encoded as JSON; ``timeout`` in seconds.

        Raises ApiError for any other answer, and with status 0 when there was none.
        """
        try:
            async with self._session.request(
                method,
                self._host + path,
                params=query,
                data=None if body is None else msgspec.json.encode(body),
                headers=await self._headers(content_type if body is not None else None),
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "Unreachable", f"{method} {path}: {error or type(error).__name__}") from error
        if response.status >= 300:
            raise _refusal(response.status, answer)
        return answer

    async def get(self, path: str, type_: type[T]) -> T:
        """The object at ``path``, decoded as ``type_``."""
        return msgspec.json.decode(await self.request("GET", path), type=type_)

    async def create(self, path: str, body: Any) -> bytes:
        """Creates ``body`` in the collection ``path``."""
        return await self.request("POST", path, body=body)

    async def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH) -> bytes:
        """Patches the object at ``path``. A ``metadata.resourceVersion`` in ``body`` makes it conditional (409)."""
        return await self.request("PATCH", path, body=body, content_type=content_type)

    async def delete(self, path: str, *, body: Any = None) -> bytes:
        """Deletes the object at ``path``; ``body`` is a DeleteOptions."""
        return await self.request("DELETE", path, body=body)

    async def stream(self, path: str, query: Mapping[str, str], silence: float) -> AsyncIterator[bytes]:
        """A streamed answer's lines, without blank ones. Raises ApiError when nothing comes for ``silence`` seconds."""
        pending = b""
        async for chunk in self.chunks(path, query, silence):
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield line

    async def chunks(self, path: str, query: Mapping[str, str], silence: float | None) -> AsyncIterator[bytes]:
        """A streamed answer as it comes. Raises ApiError, also when nothing comes for ``silence`` seconds (None: never
        for that)."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=silence)
        try:
            async with self._session.get(
                self._host + path, params=query, headers=await self._headers(None), timeout=timeout
            ) as response:
                if response.status >= 300:
                    raise _refusal(response.status, await response.read())
                try:
                    async for chunk in response.content.iter_any():
                        yield chunk
                finally:
                    _abort(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "Unreachable", f"GET {path}: {error or type(error).__name__}") from error


def _abort(response: aiohttp.ClientResponse) -> None:
    """Ends the connection of a stream that was not read to its end, if it is one: closed in order it would wait for a
    goodbye in TLS, of which nobody knows any more, and which may outlive the event loop."""
    if response.connection is not None and response.connection.transport is not None:
        response.connection.transport.abort()


def _refusal(status: int, answer: bytes) -> ApiError:
    try:
        said = msgspec.json.decode(answer, type=_Status)
    except msgspec.DecodeError:
        said = _Status(message=answer[:200].decode(errors="replace"))
    causes = [f"{cause.field}: {cause.message}" for cause in said.details.causes] if said.details else []
    return ApiError(status, said.reason, said.message, causes)


async def retry_pause(attempt: int) -> None:
    """Waits before attempt number ``attempt`` (from 1): 50 ms doubling to 2 s."""
    await asyncio.sleep(min(2.0, 0.05 * 2 ** min(attempt - 1, 10)))
