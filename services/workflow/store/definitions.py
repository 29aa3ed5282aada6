"""Definitions by digest: what a run was started with stays readable for as long as it may need it."""

from services.workflow.store import streams
from services.workflow.store.jetstream import JetStream, Outrun

_FIRST = {"Nats-Expected-Last-Subject-Sequence": "0"}


class DefinitionStore:
    """Documents by the SHA-256 of their bytes, in hexadecimal."""

    def __init__(self, js: JetStream) -> None:
        self._js = js

    async def put(self, digest: str, document: bytes) -> None:
        """Stores a document once. Raises Unavailable."""
        try:
            await self._js.publish(streams.definition(digest), document, dict(_FIRST))
        except Outrun:
            return  # it is there already

    async def get(self, digest: str) -> bytes | None:
        """The document, or None when it was never stored. Raises Unavailable."""
        subject = streams.definition(digest)
        # a replica may not have it yet: then the leader says whether there is one
        found = await self._js.last(streams.STATE, subject) or await self._js.sure_last(streams.STATE, subject)
        return None if found is None else found.data

    async def settle(self, question: str, digest: str) -> str:
        """Says for good which document a question has for its answer: the digest, or the one that somebody else has
        said before. ``question`` is a SHA-256 too. Raises Unavailable."""
        try:
            await self._js.publish(streams.settled(question), digest.encode(), dict(_FIRST))
        except Outrun:
            found = await self._js.sure_last(streams.STATE, streams.settled(question))
            return digest if found is None else found.data.decode()
        return digest

    async def settled(self, question: str) -> str | None:
        """What was said; None when nothing was. Raises Unavailable."""
        subject = streams.settled(question)
        found = await self._js.last(streams.STATE, subject) or await self._js.sure_last(streams.STATE, subject)
        return None if found is None else found.data.decode()
