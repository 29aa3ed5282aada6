"""Whether a Workflow's definition may run: what the contracts say of it, then what only a worker can check."""

import asyncio
import hashlib
from typing import Any, Protocol

import msgspec

from services.contracts.resources import Workflow
from services.contracts.workflow import Definition, InvalidWorkflow, Problem
from services.contracts.workflow.resource import definition_of


class Checker(Protocol):
    """The worker pool: what is wrong with a document's jq programs, schemas and times."""

    async def check(self, document: bytes, /) -> list[Problem]: ...


class Documents(Protocol):
    """The store of definitions by SHA-256, in hexadecimal."""

    async def put(self, digest: str, document: bytes, /) -> None: ...

    async def get(self, digest: str, /) -> bytes | None: ...


class Accepted(msgspec.Struct, frozen=True):
    """A definition that may run. ``document`` is its canonical JSON, ``digest`` the SHA-256 of that."""

    definition: Definition
    digest: str
    document: bytes


class Refused(msgspec.Struct, frozen=True):
    """A definition that may not, with all that is wrong."""

    problems: list[Problem]


Verdict = Accepted | Refused


def canonical(document: Any) -> bytes:
    """A document as JSON with sorted keys: an API server is free to reorder them."""
    return msgspec.json.encode(document, order="deterministic")


def digest_of(document: bytes) -> str:
    """What a document is stored under."""
    return hashlib.sha256(document).hexdigest()


async def judge(workflow: Workflow, checker: Checker, documents: Documents) -> Verdict:
    """The verdict; an accepted definition is stored when this returns. Raises what checker and store raise."""
    try:
        # a large document takes half a second; a thread leaves the loop its turns
        definition = await asyncio.to_thread(definition_of, workflow)
    except InvalidWorkflow as error:
        return Refused(error.problems)
    document = canonical(workflow.spec.definition)
    if problems := await checker.check(document):
        return Refused(problems)
    digest = digest_of(document)
    await documents.put(digest, document)
    return Accepted(definition, digest, document)
