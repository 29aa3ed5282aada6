"""A queue of keys to look at: each at most once at a time, again when it was added meanwhile, later when it failed."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from services.common.kube import ApiError

log = logging.getLogger("controllers.queue")
K = TypeVar("K", bound=Hashable)

_RETRY_FIRST, _RETRY_LONGEST = 0.01, 30.0
"""Seconds; a conflict is usually over at once, a refusal for lack of quota is not."""


class WorkQueue(Generic[K]):
    """`handle` is called for every added key by one of `workers` tasks; ApiError from it means: later again."""

    def __init__(self, name: str, handle: Callable[[K], Awaitable[None]], workers: int) -> None:
        self._name, self._handle, self._workers = name, handle, workers
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._queued: set[K] = set()
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}

    def add(self, key: K) -> None:
        """Look at a key soon."""
        if key in self._active:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Look at a key in `seconds`."""
        asyncio.get_running_loop().call_later(seconds, self.add, key)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._workers):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._queued.discard(key)
            self._active.add(key)
            try:
                await self._handle(key)
                self._failures.pop(key, None)
            except ApiError as error:
                self._failed(key, error)
            finally:
                self._active.discard(key)
                if key in self._again:
                    self._again.discard(key)
                    self.add(key)

    def _failed(self, key: K, error: ApiError) -> None:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        delay = min(_RETRY_FIRST * 2.0 ** min(count - 1, 20), _RETRY_LONGEST)
        level = logging.DEBUG if error.status == 409 else logging.WARNING
        log.log(level, "%s %s: %s; again in %.2f s", self._name, key, error, delay)
        self.add_after(key, delay)
