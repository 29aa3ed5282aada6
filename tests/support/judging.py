"""What a controller needs besides servers: checks without worker processes, and somebody who starts runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.contracts.names import FunctionRef
from services.contracts.runs import StartRun
from services.contracts.workflow import Problem, parse
from services.contracts.workflow.expressions import Expression
from services.workflow.expressions import evaluate, problems


class Checks:
    """What the worker processes check, in this one."""

    async def check(self, document: bytes) -> list[Problem]:
        """All that is wrong with its jq programs."""
        return problems(parse(msgspec.json.decode(document)))

    async def evaluate(self, expression: Expression, data: Any, arguments: Mapping[str, Any]) -> Any:
        """The value of an expression."""
        return evaluate(expression, data, arguments)


@dataclass
class Starts:
    """The runs that were asked for; the first ``failures`` requests come to nothing."""

    failures: int = 0
    runs: list[tuple[str, str, Any]] = field(default_factory=list)

    async def start(self, ref: FunctionRef, request: StartRun) -> None:
        """Notes a run that is to be started. Raises TimeoutError as long as it fails."""
        if self.failures:
            self.failures -= 1
            raise TimeoutError("nobody answers")
        assert isinstance(request.input, msgspec.Raw)
        self.runs.append((str(ref), request.id, msgspec.json.decode(request.input)))
