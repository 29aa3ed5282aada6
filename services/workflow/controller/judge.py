"""Whether a Workflow's definition may run: what the contracts say of it, then what only a worker can check, then what
is elsewhere."""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from services.contracts.resources import Workflow
from services.contracts.workflow import Definition, InvalidWorkflow, Problem, parse
from services.contracts.workflow.elsewhere import elsewhere
from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.resource import definition_of
from services.workflow.controller.resources import ADVICE, EXPECTED, MAX_BYTES, Resources, Unresolved, blamed
from services.workflow.store.jetstream import Unavailable

AT_ONCE = 4
"""Definitions checked at the same time: it takes a worker's time from runs."""


class Checker(Protocol):
    """The worker pool: what is wrong with a document's jq programs, schemas and times, and values of expressions."""

    async def check(self, document: bytes, /) -> list[Problem]: ...

    async def evaluate(self, expression: Expression, data: Any, arguments: Mapping[str, Any], /) -> Any: ...


class Documents(Protocol):
    """The store of definitions by SHA-256, in hexadecimal."""

    async def put(self, digest: str, document: bytes, /) -> None: ...

    async def get(self, digest: str, /) -> bytes | None: ...

    async def settle(self, question: str, digest: str, /) -> str: ...

    async def settled(self, question: str, /) -> str | None: ...


class Accepted(msgspec.Struct, frozen=True):
    """A definition that may run. ``document`` is its canonical JSON, ``digest`` the SHA-256 of that."""

    definition: Definition
    digest: str
    document: bytes


class Refused(msgspec.Struct, frozen=True):
    """A definition that may not, with all that is wrong. ``tried``: the digest of what was checked together with its
    schemas, if it came that far."""

    problems: list[Problem]
    tried: str = ""

    @property
    def passing(self) -> bool:
        """Whether it may come out otherwise without the definition being changed."""
        return all(problem.kind == "resource" for problem in self.problems)


Verdict = Accepted | Refused


def canonical(document: Any) -> bytes:
    """A document as JSON with sorted keys: an API server is free to reorder them."""
    return msgspec.json.encode(document, order="deterministic")


def digest_of(document: bytes) -> str:
    """What a document is stored under."""
    return hashlib.sha256(document).hexdigest()


class Judge:
    """Gives verdicts; an accepted definition is stored by then. Each raises what checker and store raise."""

    def __init__(self, checker: Checker, documents: Documents, resources: Resources) -> None:
        self._checker, self._documents, self._resources = checker, documents, resources
        self._places = asyncio.Semaphore(AT_ONCE)

    async def verdict(self, workflow: Workflow, before: Verdict | None = None) -> Verdict:
        """The verdict on a Workflow. ``before``: the one that is now in doubt."""
        document = canonical(workflow.spec.definition)
        async with self._places:
            try:
                # a large document takes half a second; a thread leaves the loop its turns
                definition = await asyncio.to_thread(definition_of, workflow)
            except InvalidWorkflow as error:
                return Refused(error.problems)
            # when only a schema was wrong, what is not elsewhere has been checked
            if before is None and (problems := await self._checker.check(document)):
                return Refused(problems)
        if elsewhere(definition):
            question = digest_of(workflow.metadata.uid.encode() + document)
            return await self._with_schemas(definition, question, before)
        digest = digest_of(document)
        await self._documents.put(digest, document)
        return Accepted(definition, digest, document)

    async def _with_schemas(self, definition: Definition, question: str, before: Verdict | None) -> Verdict:
        """Fetched once for a text of a Workflow, by whichever service is the first: all others, and later ones, take
        what that one had, whatever is elsewhere by then."""
        digest = await self._documents.settled(question)
        if digest is None:
            try:
                whole = canonical(await self._resources.put_in(definition))
            except Unresolved as error:
                return Refused(error.problems)
            found = digest_of(whole)
            if isinstance(before, Refused) and before.tried == found:
                return before
            if problems := await self._check_whole(definition, whole):
                return Refused(problems, found)
            await self._documents.put(found, whole)
            digest = await self._documents.settle(question, found)
        document = await self._documents.get(digest)
        if document is None:
            raise Unavailable(f"the definition {digest} is not in the store")
        text = document
        return Accepted(await asyncio.to_thread(lambda: parse(msgspec.json.decode(text))), digest, document)

    async def _check_whole(self, definition: Definition, whole: bytes) -> list[Problem]:
        if len(whole) > MAX_BYTES:
            why = f"with its schemas, which are elsewhere, it has {len(whole)} bytes; {MAX_BYTES} are allowed; {ADVICE}"
            return [Problem("", "resource", "a definition that is too large", EXPECTED, why)]
        async with self._places:
            return blamed(await self._checker.check(whole), definition)
