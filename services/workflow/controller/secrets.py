"""``$secrets.<name>``: a Secret of the workflow's namespace, read when it is needed and kept for seconds, in memory."""

import asyncio
import base64
import logging
import re
import time
from collections.abc import Iterable

import msgspec

from services.common.kube import ApiError, KubeClient
from services.contracts.errors import Code, FaasError

log = logging.getLogger("workflow")

FRESH = 5.0
"""Seconds after which a Secret is read again: a changed one is soon in use, and a burst of calls reads it once."""
_FULL = 1000
"""Entries above which those that are no longer fresh are thrown away."""

_NAME = re.compile(r"[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?")
"""A DNS-1123 subdomain, as Kubernetes names Secrets; nothing else may become part of a path."""

Values = dict[str, str]


class _Secret(msgspec.Struct):
    data: dict[str, str] | None = None


class _Entry:
    """One Secret. ``values`` is None when it does not exist or may not be read."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.until = 0.0
        self.values: Values | None = None


class Secrets:
    """Reads Secrets by name."""

    def __init__(self, kube: KubeClient) -> None:
        self._kube = kube
        self._entries: dict[tuple[str, str], _Entry] = {}

    async def get(self, namespace: str, names: Iterable[str]) -> dict[str, Values]:
        """The values of these Secrets by key, texts as they are. Those that do not exist or that this service may not
        read are left out, for which the language has an error of its own. Raises FaasError without an answer."""
        found = {name: await self._one(namespace, name) for name in names}
        return {name: values for name, values in found.items() if values is not None}

    async def _one(self, namespace: str, name: str) -> Values | None:
        entry = self._entries.get((namespace, name))
        if entry is None:
            self._make_room()
            entry = self._entries[namespace, name] = _Entry()
        async with entry.lock:
            if time.monotonic() >= entry.until:
                entry.values = await self._read(namespace, name)
                entry.until = time.monotonic() + FRESH
            return entry.values

    def _make_room(self) -> None:
        if len(self._entries) >= _FULL:
            now = time.monotonic()
            self._entries = {key: entry for key, entry in self._entries.items() if now < entry.until}

    async def _read(self, namespace: str, name: str) -> Values | None:
        if len(name) > 253 or _NAME.fullmatch(name) is None:
            log.warning("%a is no name that a Secret can have", name[:80])
            return None
        try:
            secret = await self._kube.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", _Secret)
        except ApiError as error:
            if error.status in (403, 404):
                log.warning("secret %s/%s cannot be read: %s", namespace, name, error)
                return None
            raise FaasError(Code.API_UNAVAILABLE, f"secret {namespace}/{name} cannot be read now: {error}") from None
        return {key: _text(value) for key, value in (secret.data or {}).items()}


def _text(value: str) -> str:
    """A value as text; one that is not UTF-8 stays in base64, since JSON has no bytes."""
    try:
        return base64.b64decode(value).decode()
    except UnicodeDecodeError:
        return value
