"""One run of a case by a real workflow service."""

import asyncio
import contextlib
from functools import partial
from typing import Any

import msgspec
from nats.aio.msg import Msg

from services.contracts import subjects
from services.contracts.runs import ENDED
from services.workflow.engine import Plan, State
from services.workflow.engine import records as r
from tests.support.flow import Caller, Failure, Handler
from tests.workflow.ctk.driver import Case, Outcome
from tests.workflow.ctk.noting import Notes
from tests.workflow.ctk.renaming import Renaming


def _given(value: Any, _: Any) -> Any:
    return value


class Functions(dict[str, Handler]):
    """Those that there are; any other is answered as a router does."""

    def __missing__(self, name: str) -> Handler:
        def missing(_: Any) -> Any:
            raise Failure(404, "function_not_found", f"there is no function {name}")

        return missing


class Play:
    """Starts the run, or has its schedule start it, plays its outside, and reads how it ended. ``seconds``: how long
    that may take."""

    def __init__(self, made: Caller, plan: Plan, renaming: Renaming, case: Case, seconds: float) -> None:
        self._made, self._plan, self._renaming, self._case, self._seconds = made, plan, renaming, case, seconds
        self._name = plan.definition.document.name
        self._run = self._name
        self._notes = Notes(plan)
        self._over = asyncio.Event()
        self._begun: asyncio.Queue[str] = asyncio.Queue()

    async def outcome(self) -> Outcome:
        """The run's outcome. Raises AssertionError for one that does not end."""
        for name, value in self._case.functions.items():
            self._made.functions[name.rpartition("/")[2]] = partial(_given, value)
        subject = f"faas.event.default.workflow.{self._name}.*"
        subscription = await self._made.gateway.subscribe(subject, cb=self._event)
        await self._made.gateway.flush()
        await self._start()
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._send()), tasks.create_task(self._cancel())]
            view = await self._made.ended(self._run, self._seconds)
            for helper in helpers:
                helper.cancel()
        with contextlib.suppress(TimeoutError):  # lifecycle events are news, which may be late
            async with asyncio.timeout(2):
                await self._over.wait()
        await subscription.unsubscribe()
        return await self._ended(view)

    async def _start(self) -> None:
        if self._case.trigger is None:
            given = self._renaming.value(self._case.input)
            await self._made.ask("start", self._name, {"input": given, "id": self._run})
            return
        event = self._case.trigger | {"id": self._name}
        await self._made.gateway.request(subjects.send("default"), msgspec.json.encode(event), timeout=10)
        async with asyncio.timeout(self._seconds):
            self._run = await self._begun.get()

    async def _event(self, message: Msg) -> None:
        event = msgspec.json.decode(message.data)
        if message.subject.endswith(".emitted"):
            self._notes.emitted.append(event)
            return
        kind = event["type"].removeprefix("io.serverlessworkflow.").removesuffix(".v1")
        self._notes.event(kind, event["data"])
        if kind == "workflow.started":
            self._begun.put_nowait(event["subject"])
        elif kind.startswith("workflow.") and kind.partition(".")[2] in ENDED:
            self._over.set()

    async def _send(self) -> None:
        """Each event once the run listens."""
        for event in self._case.events:
            while True:
                view = (await self._made.ask("get", self._run)).json
                if any(each["kind"] == "events" for each in view.get("waiting", [])):
                    break
                await asyncio.sleep(0.01)  # a run does not tell that it listens
            event = event | {"id": f"{self._name}-{event['id']}"}
            await self._made.gateway.request(subjects.send("default"), msgspec.json.encode(event), timeout=10)

    async def _cancel(self) -> None:
        if self._case.cancel_at is not None:
            await asyncio.sleep(self._case.cancel_at)
            await self._made.ask("cancel", self._run)

    async def _ended(self, view: dict[str, Any]) -> Outcome:
        state: State | None = None
        start = 0
        while True:
            page = (await self._made.ask("history", self._run, {"start": start})).json
            records = [record for entry in page["entries"] for record in entry["records"]]
            state = self._notes.fold(state, msgspec.convert(records, type=list[r.AnyRecord]))
            start = page.get("next", 0)
            if not start:
                break
        assert state is not None
        outcome = self._notes.outcome(state)
        outcome.status = view["run"]["status"]
        outcome.output, outcome.error = view.get("output"), view.get("error")
        outcome.seconds = view["run"]["endedAt"] - view["run"]["startedAt"]
        return outcome
