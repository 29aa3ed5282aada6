"""Definitions by digest: what a run was started with stays readable for as long as it may need it."""

from services.workflow.store import streams
from services.workflow.store.jetstream import JetStream, Outrun


class DefinitionStore:
    """Documents by the SHA-256 of their bytes, in hexadecimal."""

    def __init__(self, js: JetStream) -> None:
        self._js = js

    async def put(self, digest: str, document: bytes) -> None:
        """Stores a document once. Raises Unavailable."""
        try:
            await self._js.publish(streams.definition(digest), document, {"Nats-Expected-Last-Subject-Sequence": "0"})
        except Outrun:
            return  # it is there already

    async def get(self, digest: str) -> bytes | None:
        """The document, or None when it was never stored. Raises Unavailable."""
        subject = streams.definition(digest)
        # a replica may not have it yet: then the leader says whether there is one
        found = await self._js.last(streams.STATE, subject) or await self._js.sure_last(streams.STATE, subject)
        return None if found is None else found.data
