"""Holds the Lease: asks for it, renews it, gives it back. The rules are in ``lease``."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import msgspec

from services.common.kube import MERGE_PATCH, ApiError, KubeClient
from services.common.watch import Change, WatchCache
from services.scaler import metrics
from services.scaler.lease import Election, Lease

log = logging.getLogger("scaler")

TIMEOUT = 2.0
"""Seconds of one request: a renewal that takes longer is tried again before the deadline."""
RETRY_PAUSE = 0.2
"""Seconds after a refused or unanswered request: a restarted API server is found again soon."""
_decode = msgspec.json.Decoder(Lease).decode


class Leader:
    """One candidate. ``changed`` is called whenever it begins or ceases to lead."""

    def __init__(
        self, client: KubeClient, election: Election, namespace: str, name: str, changed: Callable[[], None]
    ) -> None:
        self._client = client
        self._election = election
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._key, self._name = f"{namespace}/{name}", name
        self._changed = changed
        self._stirred = asyncio.Event()
        self._led = False
        self.watch = WatchCache(
            client, self._path, Lease, field_selector=f"metadata.name={name}", on_change=self._on_change
        )

    def leads(self) -> bool:
        """Whether this process may act now."""
        return self._election.leads(time.monotonic())

    async def run(self) -> None:
        """Campaigns and renews until cancelled; its watch runs beside it."""
        await self.watch.synced.wait()
        self._election.saw(self.watch.objects.get(self._key), time.monotonic())
        while True:
            pause = await self._round()
            self._tell()
            self._stirred.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    async def release(self) -> None:
        """Stops acting and gives the Lease back, soon; without an API server it expires."""
        body = self._election.release() if self.leads() else None
        self._election.resign()
        self._tell()
        if body is not None:
            try:
                await self._write(body, timeout=0.5)
            except ApiError as error:
                log.info("the Lease was not given back and will expire: %s", error)

    async def _round(self) -> float:
        """One attempt to take or renew; returns how long to wait before the next."""
        asked_at = time.monotonic()
        body = self._election.bid(asked_at, time.time())
        if body is None:
            return max(0.01, self._election.wait(asked_at))
        try:
            lease = await self._write(body, TIMEOUT)
        except ApiError as error:
            log.log(logging.INFO if error.status == 409 else logging.WARNING, "the Lease was not written: %s", error)
            return RETRY_PAUSE
        self._election.renewed(lease, asked_at)
        return self._election.timing.retry

    async def _write(self, body: dict[str, Any], timeout: float) -> Lease:
        if "resourceVersion" in body["metadata"]:
            path = f"{self._path}/{self._name}"
            answer = await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH, timeout=timeout)
        else:
            body = {**body, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": self._name}}
            answer = await self._client.request("POST", self._path, body=body, timeout=timeout)
        return _decode(answer)

    def _on_change(self, change: Change[Lease]) -> None:
        if change.key != self._key:
            return
        self._election.saw(None if change.type == "DELETED" else change.new, time.monotonic())
        if not self.leads():
            self._stirred.set()

    def _tell(self) -> None:
        leads = self.leads()
        if leads != self._led:
            self._led = leads
            metrics.LEADER.set(leads)
            log.info("leading as %s" if leads else "%s no longer leads", self._election.identity)
            self._changed()
