"""Calls by HTTP, OpenAPI and AsyncAPI, and the messages of subscriptions, for the runs of this instance."""

import asyncio
import pickle
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from services.contracts.errors import FaasError
from services.contracts.workflow.calls import AsyncApiArguments
from services.workflow.calls import Outside, repeatable
from services.workflow.controller.secrets import Secrets
from services.workflow.driver import outcomes
from services.workflow.driver.documents import Documents
from services.workflow.driver.functions import Confirm
from services.workflow.driver.run import Run
from services.workflow.driver.runs import Moved, Runs
from services.workflow.engine.stimuli import CallEnded, MessageArrived
from services.workflow.store.jetstream import Outrun, Unavailable
from services.workflow.worker.protocol import Answered, CallOutside

_PAUSE = 1.0
"""Seconds before secrets that could not be read are asked for again."""


class CallsOutside:
    """Makes them; what is inside of a call is never logged."""

    def __init__(self, outside: Outside, documents: Documents, secrets: Secrets, runs: Runs, confirm: Confirm) -> None:
        self._confirm = confirm
        self._outside, self._documents, self._secrets, self._runs = outside, documents, secrets, runs
        self.subscribed: dict[tuple[Run, int], asyncio.Event] = {}
        """Runs and their tasks that take messages, however long that is; the event is set while more may come."""

    async def outcome(self, run: Run, command: CallOutside) -> Answered | CallEnded:
        """Carries a call out. A subscription ends only by an error, or when it is cancelled."""
        arguments = pickle.loads(command.arguments)  # made by a worker of ours
        if command.repeated and not repeatable(command.kind, arguments):
            return CallEnded(task=command.task, error=outcomes.outcome_unknown(f"the {command.kind} call"))

        more = asyncio.Event()
        if command.task not in run.held:
            more.set()

        async def deliver(message: dict[str, Any]) -> None:
            with suppress(Moved, Outrun, FaasError):  # the run is not driven here any more: this is about to end
                await self._runs.ask(run, MessageArrived(task=command.task, message=message))
            await more.wait()

        secrets = await self._values(run)
        await self._confirm()
        if isinstance(arguments, AsyncApiArguments) and arguments.subscription is not None:
            self.subscribed[run, command.task] = more
        try:
            answer = await self._outside.call(command.kind, arguments, secrets, command.key, deliver)
        finally:
            self.subscribed.pop((run, command.task), None)
        if answer.error is not None:
            return CallEnded(task=command.task, error=answer.error)
        return Answered(command.task, msgspec.json.encode(answer.output))

    async def _values(self, run: Run) -> Mapping[str, Any]:
        """The secrets that the run's definition may use."""
        while True:
            try:
                names = (await self._documents.get(run.definition)).secrets
                return await self._secrets.get(run.ref.namespace, names) if names else {}
            except (FaasError, Unavailable):
                await asyncio.sleep(_PAUSE)
