"""Schemas that a definition has elsewhere: fetched when it is judged, and put where they are named.

What is stored and run is a definition with every schema in it, so that no run ever depends on another server.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import msgspec

from services.contracts.workflow import Definition, Problem
from services.contracts.workflow.auth import ExternalResource
from services.contracts.workflow.elsewhere import elsewhere
from services.contracts.workflow.expressions import Expression, Interpolation, fill
from services.contracts.workflow.limits import exceeded
from services.workflow.calls.problems import CallError
from services.workflow.expressions import ExpressionError

MAX_BYTES = 2 * 1024 * 1024
"""Of a definition as JSON with all its schemas: it is one message, and every service keeps those of its runs."""
EXPECTED = "a JSON Schema, in JSON or YAML, at its endpoint"
ADVICE = "make it so there, or write the schema into document; it is tried again by itself"
_AT_ONCE = 4
"""Schemas of one definition that are fetched at the same time."""


class Fetch(Protocol):
    """The door to the outside."""

    async def schema(self, resource: ExternalResource, secrets: Mapping[str, Any], /) -> Any: ...


class Evaluate(Protocol):
    """The worker pool: an expression's value over data and variables. Raises ExpressionError."""

    async def __call__(self, expression: Expression, data: Any, arguments: Mapping[str, Any], /) -> Any: ...


class ReadSecrets(Protocol):
    """Secrets of a namespace by name, those left out that there are not."""

    async def get(self, namespace: str, names: Iterable[str], /) -> Mapping[str, Any]: ...


class Unresolved(Exception):
    """Schemas that could not be had, each a problem of the kind ``resource``."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class Resources:
    """Fetches the schemas of definitions."""

    def __init__(self, fetch: Fetch, evaluate: Evaluate, secrets: ReadSecrets) -> None:
        self._fetch, self._evaluate, self._secrets = fetch, evaluate, secrets

    async def put_in(self, definition: Definition) -> dict[str, Any]:
        """The definition's document with each schema's ``resource`` replaced by ``document``. Raises Unresolved, and
        FaasError when secrets can't be read now."""
        secrets = await self._secrets.get(definition.document.namespace, definition.use.secrets)
        wanted = {pointer: schema.resource for pointer, schema in elsewhere(definition) if schema.resource is not None}
        places = asyncio.Semaphore(_AT_ONCE)
        fetched: dict[bytes, asyncio.Task[Any]] = {}

        async def fetch(resource: ExternalResource) -> Any:
            async with places:
                return await self._one(definition, resource, secrets)

        async with asyncio.TaskGroup() as tasks:
            for resource in wanted.values():
                if (key := msgspec.json.encode(resource.endpoint)) not in fetched:
                    fetched[key] = tasks.create_task(fetch(resource))
        found = {pointer: fetched[msgspec.json.encode(each.endpoint)].result() for pointer, each in wanted.items()}
        wrong = [_problem(pointer, value) for pointer, value in found.items() if isinstance(value, _Wrong)]
        if wrong:
            raise Unresolved(wrong)
        document: dict[str, Any] = definition.source
        for pointer, value in found.items():
            document = _replaced(document, pointer.split("/")[1:], value)
        return document

    async def _one(self, definition: Definition, resource: ExternalResource, secrets: Mapping[str, Any]) -> Any:
        """A schema, or what is wrong with it."""
        endpoint = resource.endpoint
        try:
            policy = await self._filled(definition.authentication_of(endpoint.authentication), secrets)
            known = msgspec.structs.replace(endpoint, authentication=policy)
            value = await self._fetch.schema(msgspec.structs.replace(resource, endpoint=known), secrets)
        except CallError as error:
            return _Wrong("none that could be fetched", str(error))
        except ExpressionError as error:
            return _Wrong("none that could be fetched", f"{error.pointer}: {error}")
        if not isinstance(value, dict | bool):
            return _Wrong("no JSON Schema", "it is neither an object nor true or false")
        if (broken := exceeded(value)) is not None:
            return _Wrong("no JSON Schema that is small enough", broken)
        return value

    async def _filled(self, policy: Any, secrets: Mapping[str, Any]) -> Any:
        """An authentication policy with its expressions evaluated, which have the secrets and no data."""
        values: dict[Expression, str] = {}
        for expression in _expressions(policy):
            value = await self._evaluate(expression, None, {"secrets": secrets})
            if not isinstance(value, str):
                raise ExpressionError("gave no text; there is no data here but $secrets", expression.pointer)
            values[expression] = value
        return _evaluated(policy, values) if values else policy


class _Wrong(msgspec.Struct, frozen=True):
    """In place of a schema: what was found, and why."""

    found: str
    why: str


def _problem(pointer: str, wrong: _Wrong) -> Problem:
    """Of the schema at ``pointer``."""
    return Problem(f"{pointer}/resource", "resource", wrong.found, EXPECTED, f"{wrong.why}; {ADVICE}")


def blamed(problems: list[Problem], definition: Definition) -> list[Problem]:
    """The problems of a definition with its schemas, at the places where it has them elsewhere; it has no others."""
    places = [pointer for pointer, _ in elsewhere(definition)]
    made = []
    for each in problems:
        place = next((place for place in places if each.pointer.startswith(f"{place}/")), None)
        pointer = each.pointer if place is None else f"{place}/resource"
        why = each.hint if place is not None else f"with its schemas, which are elsewhere: {each.found}"
        found = each.found if place is None else "no JSON Schema"
        made.append(Problem(pointer, "resource", found, EXPECTED, f"{why}; {ADVICE}"))
    return made


def _replaced(value: Any, path: list[str], schema: Any) -> Any:
    """A copy of a document, as far as it differs, with a schema's ``resource`` replaced."""
    if not path:
        return {key: item for key, item in value.items() if key != "resource"} | {"document": schema}
    key: Any = int(path[0]) if isinstance(value, list) else path[0].replace("~1", "/").replace("~0", "~")
    made = value.copy()
    made[key] = _replaced(value[key], path[1:], schema)
    return made


def _expressions(value: Any) -> Iterator[Expression]:
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _expressions(getattr(value, name))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _expressions(item)


def _evaluated(value: Any, values: Mapping[Expression, str]) -> Any:
    if isinstance(value, Expression | Interpolation):
        return fill(value, values.__getitem__)
    if isinstance(value, msgspec.Struct):
        fields = {name: _evaluated(getattr(value, name), values) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    return [_evaluated(item, values) for item in value] if isinstance(value, list) else value
