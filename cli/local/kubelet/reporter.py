"""Telling the API server one Pod's status: only when it has changed, until it is taken."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

from cli.local.kubelet.resources import Pod
from cli.local.kubelet.status import OWN_CONDITIONS
from services.common.kube import ApiError, KubeClient, retry_pause

log = logging.getLogger("kubelet.status")

PATIENCE_SECONDS = 0.1
"""How long a container that runs but is not ready yet is kept from the API server: a warm start is ready before, and
costs one write instead of two."""
LAST_SECONDS = 4.0
LAST_ATTEMPTS = 3
"""How long, and how often, a kubelet that is being stopped tries to tell the API server of a Pod's end. With the grace
that Pods get at most (`Settings.shutdown_grace`) it stays below the 15 s after which `faas down` kills the kubelet."""


class StatusReporter:
    """`changed` asks for a report; `run` owns the writing. `gone` is called when the API server no longer has this
    Pod."""

    def __init__(
        self,
        client: KubeClient,
        path: str,
        uid: str,
        current: Callable[[], dict[str, Any]],
        foreign: Callable[[], dict[str, Any]],
        gone: Callable[[], None],
    ) -> None:
        self._client, self._path, self._uid = client, path, uid
        self._current, self._foreign, self._gone = current, foreign, gone
        self._changed, self._urgent = asyncio.Event(), asyncio.Event()
        self._writing = asyncio.Lock()
        self._reported: dict[str, Any] = foreign()

    def changed(self, urgent: bool = True) -> None:
        """The status may have changed. Not urgent: it may wait a moment for what comes next."""
        self._changed.set()
        if urgent:
            self._urgent.set()

    async def run(self) -> None:
        """Report until cancelled."""
        attempt = 0
        while True:
            await self._changed.wait()
            if not self._urgent.is_set():
                await self._patience()
            try:
                await self.report()
                attempt = 0
            except ApiError as error:
                attempt += 1
                log.warning("status of %s is not taken (attempt %d): %s", self._path, attempt, error)
                await retry_pause(attempt)

    async def _patience(self) -> None:
        # not wait_for: before Python 3.12 it swallows a cancellation that meets the event's being set
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._urgent.wait()

    async def report(self) -> None:
        """Write the status if it differs from what was last taken. Raises ApiError when it is not taken.

        One write at a time, whoever asks: of two on their way the API server could take the older one last.
        """
        async with self._writing:
            await self._write()

    async def report_last(self) -> None:
        """Write the status before the kubelet ends; logged when it is not taken.

        Asked again, since nothing comes after it: a connection that has just been closed must not cost it.
        """
        attempt = 0
        try:
            async with asyncio.timeout(LAST_SECONDS):
                while True:
                    try:
                        return await self.report()
                    except ApiError:
                        attempt += 1
                        if attempt >= LAST_ATTEMPTS:
                            raise
                        await retry_pause(attempt)
        except (ApiError, TimeoutError) as error:
            log.warning("%s: its last status could not be reported: %s", self._path, error or "no answer in time")

    async def _write(self) -> None:
        self._changed.clear()
        self._urgent.clear()
        status = self._current()
        if all(self._reported.get(key) == value for key, value in status.items()):
            return
        others = [known for known in self._foreign().get("conditions") or [] if known.get("type") not in OWN_CONDITIONS]
        body = status | {"conditions": status["conditions"] + others}
        try:
            # the uid makes the server refuse the status for another Pod that has taken the name since
            await self._client.patch(f"{self._path}/status", {"metadata": {"uid": self._uid}, "status": body})
        except ApiError as error:
            if error.status in (404, 409) and await self._is_gone():
                self._gone()
                return
            self._changed.set()
            self._urgent.set()
            if error.status in (400, 422):
                log.error("status of %s is refused: %s; it was %s", self._path, error, body)
            raise
        self._reported = status

    async def _is_gone(self) -> bool:
        try:
            found = await self._client.get(self._path, Pod)
        except ApiError as error:
            return error.status == 404
        return found.metadata.uid != self._uid
