"""Documents of definitions by digest, and the secrets that each names."""

from collections import OrderedDict

import msgspec

from services.workflow.store.definitions import DefinitionStore

_KEPT = 1000
"""Definitions in memory; one is rarely over 100 kB. The store has all."""


class _Use(msgspec.Struct):
    secrets: list[str] = []


class _Definition(msgspec.Struct):
    use: _Use = msgspec.field(default_factory=_Use)


class Document(msgspec.Struct, frozen=True):
    """A definition as JSON, and the names in its ``use.secrets``."""

    data: bytes
    secrets: tuple[str, ...]


class LostDefinition(Exception):
    """The definition of a run is not in the store."""


class Documents:
    """What runs go by."""

    def __init__(self, store: DefinitionStore) -> None:
        self._store = store
        self._known: OrderedDict[str, Document] = OrderedDict()

    def add(self, digest: str, data: bytes) -> Document:
        """Notes one that is stored."""
        found = self._known.get(digest)
        if found is None:
            names = msgspec.json.decode(data, type=_Definition).use.secrets
            found = self._known[digest] = Document(data, tuple(names))
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    async def get(self, digest: str) -> Document:
        """One by its digest. Raises LostDefinition; Unavailable."""
        found = self._known.get(digest)
        if found is not None:
            self._known.move_to_end(digest)
            return found
        data = await self._store.get(digest)
        if data is None:
            raise LostDefinition(f"the definition {digest} is not in the store")
        return self.add(digest, data)
