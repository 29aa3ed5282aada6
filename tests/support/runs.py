"""A stand-in for the workflow services on a real bus: whatever a test wants answered to control requests."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.contracts import headers, subjects
from services.contracts.errors import Code, FaasError
from services.contracts.runs import RunSummary, RunView
from tests.support.bus import Bus

Answering = Callable[[Msg], Any]


def view(run: str = "r1", status: Any = "running", **fields: Any) -> RunView:
    """A run of the workflow ``default/flow``."""
    ended = 2.0 if status in ("completed", "faulted", "cancelled") else None
    return RunView(RunSummary("default", run, "flow", "1.0.0", status, 1.0, ended), **fields)


@dataclass
class Service:
    """``answers`` has by verb what is answered: a message, JSON as bytes, an error to raise, or None for silence.
    ``asked`` has the requests."""

    url: str
    answers: dict[str, Answering] = field(default_factory=dict)
    asked: list[Msg] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _client: Client | None = None

    async def serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Runs until ``stop`` is set."""
        self._client = await nats.connect(self.url, inbox_prefix="_INBOX.workflow")
        for subject in (subjects.CONTROL_ALL, subjects.SEND_ALL):
            await self._client.subscribe(subject, queue=subjects.WORKFLOW_QUEUE, cb=self._on_request)
        await self._client.flush()
        started.set()
        await stop.wait()
        await self._client.close()

    async def _on_request(self, message: Msg) -> None:
        assert self._client is not None
        self.asked.append(message)
        tokens = message.subject.split(".")
        verb = tokens[4] if len(tokens) == 7 else tokens[1]
        try:
            if verb not in self.answers:
                raise FaasError(Code.RUN_NOT_FOUND, f"there is no run {tokens[-1]}")
            made = self.answers[verb](message)
            if made is not None:
                body = made if isinstance(made, bytes) else msgspec.json.encode(made)
                await self._client.publish(message.reply, body, headers={headers.STATUS: "200"})
        except FaasError as error:
            await self._client.publish(message.reply, error.body(), headers=headers.of_error(error))

    def happen(self, run: str, kind: str, workflow: str = "flow", **data: Any) -> None:
        """Publishes a lifecycle event such as ``task.started``."""
        verb = kind.removeprefix("workflow.").replace(".", "-")
        event = {
            "specversion": "1.0", "id": f"{run}-{kind}", "source": f"/default/{workflow}", "subject": run,
            "type": f"io.serverlessworkflow.{kind}.v1", "time": "2026-01-01T00:00:00Z", "data": data,
        }  # fmt: skip
        assert self._client is not None
        client, subject = self._client, subjects.event("default", "workflow", workflow, verb)

        async def publish() -> None:
            await client.publish(subject, msgspec.json.encode(event))
            await client.flush()

        asyncio.run_coroutine_threadsafe(publish(), self._loop).result(10)

    def stop(self, stop: asyncio.Event) -> None:
        """Asks it to end."""
        self._loop.call_soon_threadsafe(stop.set)

    def run(self, started: threading.Event, stop: asyncio.Event) -> None:
        """Runs its loop in this thread."""
        self._loop.run_until_complete(self.serve(started, stop))
        self._loop.close()


@contextlib.contextmanager
def running_service(bus: Bus) -> Iterator[Service]:
    """The stand-in, subscribed."""
    service, started, stop = Service(bus.user_url("workflow")), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=service.run, args=(started, stop), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield service
    finally:
        service.stop(stop)
        thread.join(10)
