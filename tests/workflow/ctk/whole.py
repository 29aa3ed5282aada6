"""Definitions with the schemas that they have elsewhere, fetched as the service does before it accepts them."""

from collections.abc import Iterable, Mapping
from typing import Any

from services.contracts.workflow import Definition, InvalidWorkflow, parse
from services.contracts.workflow.elsewhere import elsewhere
from services.contracts.workflow.expressions import Expression
from services.workflow import expressions
from services.workflow.calls import Outside
from services.workflow.controller.judge import canonical
from services.workflow.controller.resources import Resources, Unresolved, blamed
from services.workflow.worker.checking import check


class _Secrets:
    def __init__(self, secrets: Mapping[str, Any]) -> None:
        self._secrets = secrets

    async def get(self, namespace: str, names: Iterable[str]) -> Mapping[str, Any]:
        return {name: self._secrets[name] for name in names if name in self._secrets}


async def _evaluate(expression: Expression, data: Any, arguments: Mapping[str, Any]) -> Any:
    return expressions.evaluate(expression, data, arguments)


async def whole(definition: Definition, outside: Outside, secrets: Mapping[str, Any]) -> Definition:
    """The definition with all its schemas in it. Raises InvalidWorkflow."""
    if not elsewhere(definition):
        return definition
    try:
        document = await Resources(outside, _evaluate, _Secrets(secrets)).put_in(definition)
    except Unresolved as error:
        raise InvalidWorkflow(error.problems) from None
    if problems := check(canonical(document)):
        raise InvalidWorkflow(blamed(problems, definition))
    return parse(document)
