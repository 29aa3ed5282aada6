"""The driver over the real thing: a workflow service, nats-server and API server as processes."""

import asyncio
import base64
import contextlib
import itertools
import re
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from services.contracts.workflow import InvalidWorkflow, Problem, load_yaml, parse
from services.workflow.engine import Plan
from tests.support.flow import WORKFLOWS, Caller, Platform, caller, running_platform
from tests.workflow.ctk.driver import Case, Outcome
from tests.workflow.ctk.play import Functions, Play
from tests.workflow.ctk.renaming import Renaming

PATIENCE = 30.0
"""Real seconds for one run: time passes as it does."""
_NUMBERS = itertools.count(1)
"""Of cases: several drivers may share a platform."""
_SECRETS = "/api/v1/namespaces/default/secrets"


class ServiceDriver:
    """Deploys each case's definitions under names of their own and reads the outcome from the run's history."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def run(self, case: Case) -> Outcome:
        """The outcome of one run. Raises InvalidWorkflow for one that is not accepted; ValueError for one that does not
        end."""
        for text in [*case.workflows, case.definition]:
            parse(load_yaml(text))  # as ``faas deploy`` does first

        async def play() -> Outcome:
            async with self.calling() as made:
                return await self.play(made, case)

        try:
            return asyncio.run(play())
        except BaseExceptionGroup as group:
            found = _first(group)
            if isinstance(found, AssertionError):
                found = ValueError(f"the run did not end: {found}")
            raise found from None

    @contextlib.asynccontextmanager
    async def calling(self) -> AsyncIterator[Caller]:
        """Who starts runs, and answers calls of Functions."""
        async with caller(self._platform.bus) as made:
            made.functions = Functions()
            yield made

    async def play(self, made: Caller, case: Case, seconds: float = PATIENCE) -> Outcome:
        """The outcome of one run; several may be under way. Raises AssertionError for one that does not end."""
        renaming = Renaming(f"n{next(_NUMBERS)}", case.hosts)
        plan = await asyncio.to_thread(self._deploy, case, renaming)
        return renaming.back(await Play(made, plan, renaming, case, seconds).outcome())

    def _deploy(self, case: Case, renaming: Renaming) -> Plan:
        documents = [renaming.document(load_yaml(text)) for text in [*case.workflows, case.definition]]
        plans = [Plan(parse(document)) for document in documents]
        for name, value in case.secrets.items():
            texts = renaming.value(value)
            values = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
            metadata = {"name": renaming.secret(name)}
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": values}
            self._platform.api.create(_SECRETS, body)
        for document in documents:
            name = document["document"]["name"]
            spec = {"metadata": {"name": name}, "spec": {"definition": document}}
            self._platform.api.create(WORKFLOWS, {"apiVersion": "faas.dev/v1alpha1", "kind": "Workflow"} | spec)
            self._accepted(name)
        return plans[-1]

    def _accepted(self, name: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status = self._platform.api.get(f"{WORKFLOWS}/{name}").get("status", {})
            for condition in status.get("conditions", []):
                if condition["type"] == "Accepted" and condition["status"] == "True":
                    return
                if condition["type"] == "Accepted" and condition["status"] == "False":
                    raise InvalidWorkflow(_problems(condition["message"]))
            time.sleep(0.01)  # nothing tells when a status changes but a watch of its own
        raise ValueError("nobody judged the workflow")


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _problems(message: str) -> list[Problem]:
    """What a refusal says: a place, what was found there, what was expected, for each problem."""
    found = re.findall(r"(?:^|; )(/\S*|the document): found (.*?); expected (.*?)(?=; /|$)", message)
    return [Problem(place.removeprefix("the document"), "rule", what, wanted) for place, what, wanted in found]


@contextlib.contextmanager
def service_driver(directory: Path) -> Iterator[ServiceDriver]:
    """A driver over a service that may call stubs on loopback."""
    with running_platform(directory) as platform, platform.running(allowed_addresses="127.0.0.0/8,::1/128"):
        yield ServiceDriver(platform)
