"""Documents that calls refer to: fetched, read as JSON or YAML 1.2, and kept for a minute."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import msgspec
from yarl import URL

from services.contracts.workflow import InvalidWorkflow, load_yaml
from services.contracts.workflow.auth import ExternalResource
from services.workflow.calls.authorize import Sender
from services.workflow.calls.exchange import ENCODINGS, Reply, Request
from services.workflow.calls.policies import Policy, resolved
from services.workflow.calls.problems import configuration, refused
from services.workflow.calls.values import url_of

_SECONDS = 60.0
_KEPT = 32
_ACCEPT = "application/json, application/yaml;q=0.9, */*;q=0.5"


class Document(msgspec.Struct, frozen=True):
    """A document, and where it was found in the end, for what is relative in it."""

    value: dict[str, Any]
    url: URL
    place: str


class Documents:
    """Fetches documents; the same one by the same credentials is shared by all calls for a minute."""

    def __init__(self, sender: Sender, max_bytes: int) -> None:
        self._sender = sender
        self._max_bytes = max_bytes
        self._kept: OrderedDict[bytes, tuple[float, Document]] = OrderedDict()

    async def get(self, resource: ExternalResource, secrets: Mapping[str, Any]) -> Document:
        """The document. Raises CallError."""
        url = url_of(resource.endpoint.uri, [])
        policy = resolved(resource.endpoint.authentication, secrets)
        key = hashlib.sha256(msgspec.json.encode((str(url), type(policy).__name__, policy))).digest()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        found = await self._document(url, policy, bool(secrets))
        self._kept[key] = (time.monotonic() + _SECONDS, found)
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found

    async def value(self, resource: ExternalResource, secrets: Mapping[str, Any], max_bytes: int) -> Any:
        """A JSON or YAML value as it is now, never a kept one. Raises CallError."""
        url = url_of(resource.endpoint.uri, [])
        policy = resolved(resource.endpoint.authentication, secrets)
        place, _, reply = await self._fetch(url, policy, bool(secrets), max_bytes)
        return await _read(reply.body, place)

    async def _document(self, url: URL, policy: Policy | None, private: bool) -> Document:
        place, last, reply = await self._fetch(url, policy, private, self._max_bytes)
        value = await _read(reply.body, place)
        if not isinstance(value, dict):
            raise configuration(f"{place}: expected an object")
        return Document(value, last, place)

    async def _fetch(self, url: URL, policy: Policy | None, private: bool, most: int) -> tuple[str, URL, Reply]:
        """How errors call the document, where it was in the end, and the answer."""
        place = f"the document at {url.origin()}" + ("" if private else url.path)
        headers = {"accept": _ACCEPT, "accept-encoding": ENCODINGS, "user-agent": "faas-workflow"}
        request = Request(method="GET", url=url, headers=headers, place=place)
        last, reply = await self._sender.send(request, policy, follow=True, max_answer=most)
        if not 200 <= reply.status <= 299:
            raise refused(place, reply.status)
        return place, last.url, reply


async def _read(body: bytes, place: str) -> Any:
    """A JSON or YAML value. YAML is read in a thread: it takes long, in steps that let the loop go on."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        try:
            return await asyncio.to_thread(load_yaml, body)
        except InvalidWorkflow as error:
            problem = error.problems[0]
            raise configuration(f"{place}: neither JSON nor YAML: found {problem.found}") from None


def follow(document: dict[str, Any], value: Any, place: str) -> Any:
    """A value, or what its ``$ref`` into the same document stands for. Raises CallError."""
    for _ in range(32):
        if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
            return value
        reference = value["$ref"]
        if not reference.startswith("#/"):
            raise configuration(f"{place}: a $ref to another document, which is not followed")
        value = document
        for part in reference[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(value, dict) or part not in value:
                raise configuration(f"{place}: a $ref to what is not there: {reference[:200]}")
            value = value[part]
    raise configuration(f"{place}: a $ref that leads to itself")


def objects(value: Any) -> dict[str, Any]:
    """A field that should be an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A field that should be a list, or an empty one."""
    return value if isinstance(value, list) else []
