"""One generated request, and a server that it is sent to.

A request may speak of what an earlier answer said: `${web.uid}` and `${web.resourceVersion}` stand for what *this*
server gave the object that the step with `save="web"` returned, so that one step means the same to both servers.
"""

import re
from dataclasses import dataclass
from typing import Any

from tests.cluster.api import JSON, Answer, Api, Object

PLACEHOLDER = re.compile(r"\$\{([^}]+)\}")
UNKNOWN = "0"  # for an object that was never returned: a resourceVersion and a uid that nothing has


@dataclass(frozen=True)
class Step:
    """A request; `what` names the behaviour it tries, for reports and for the list of accepted differences."""

    what: str
    method: str
    path: str
    body: Any = None
    content_type: str = JSON
    save: str = ""
    accept: str = JSON


class Server:
    """An API server with what it answered so far."""

    def __init__(self, api: Api, memory: dict[str, str]) -> None:
        self.api = api
        self._memory = memory

    def perform(self, step: Step) -> Answer:
        body = step.body if isinstance(step.body, bytes) else self.filled(step.body)
        answer = self.api.request(step.method, self.filled(step.path), body, step.content_type, step.accept)
        if step.save and answer.status < 300:
            self._remember(step.save, answer.body)
        return answer

    def filled(self, value: Any) -> Any:
        """Returns `value`, any JSON, with the placeholders in its strings replaced."""
        if isinstance(value, str):
            return PLACEHOLDER.sub(lambda found: self._memory.get(found[1], UNKNOWN), value)
        if isinstance(value, dict):
            return {key: self.filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        return value

    def _remember(self, name: str, body: Object) -> None:
        for field in ("name", "uid", "resourceVersion"):
            if field in body.get("metadata", {}):
                self._memory[f"{name}.{field}"] = str(body["metadata"][field])
