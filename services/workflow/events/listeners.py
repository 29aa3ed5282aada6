"""Which runs listen for which events. Pure: events go in, what is to be delivered comes out."""

from collections.abc import Iterable
from typing import Any

from services.contracts.names import FunctionRef
from services.workflow.store.events import Event

Key = tuple[FunctionRef, int]
"""A run, and its task that listens."""


ANY = ""
"""In place of a type: of those who listen to all."""


class Listener:
    """One task of one run. ``cursor``: the sequence of the last event that it was given; 0: none yet, and those stored
    before ``since`` (epoch seconds) are not for it. While older events are being read for it (``behind``) new ones
    wait in ``pending``. One that is ``held`` is given nothing any more; another takes its place after its cursor.
    Small: thousands wait at once."""

    __slots__ = ("behind", "cursor", "held", "key", "pending", "since", "types")

    def __init__(self, key: Key, types: tuple[str, ...], since: float, after: int) -> None:
        self.key = key
        self.types = types
        self.since = since
        self.cursor = after
        self.behind = True
        self.held = False
        self.pending: list[Event] = []

    def wants(self, event: Event) -> bool:
        """Whether the event is of a type that it may take, and new to it."""
        if event.sequence <= self.cursor or (not self.cursor and event.stored < self.since):
            return False
        return not self.types or event.attributes.get("type") in self.types

    def take(self, events: Iterable[Event]) -> list[Event]:
        """Those of ``events``, which are in order, that it is to be given."""
        wanted = []
        for event in events:
            if self.wants(event):
                wanted.append(event)
                self.cursor = event.sequence
        return wanted


class Listeners:
    """All listeners, by namespace and type."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Listener] = {}
        self._by_type: dict[tuple[str, str], dict[Key, Listener]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    def add(self, listener: Listener) -> None:
        """In place of any earlier one of the same task."""
        self.remove(listener.key)
        self._by_key[listener.key] = listener
        for place in self._places(listener):
            self._by_type.setdefault(place, {})[listener.key] = listener

    def remove(self, key: Key) -> None:
        """It no longer listens."""
        listener = self._by_key.pop(key, None)
        if listener is None:
            return
        for place in self._places(listener):
            others = self._by_type[place]
            del others[key]
            if not others:
                del self._by_type[place]

    def get(self, key: Key) -> Listener | None:
        """Who listens for a task."""
        return self._by_key.get(key)

    def has(self, listener: Listener) -> bool:
        """Whether it still listens."""
        return self._by_key.get(listener.key) is listener

    def on_event(self, event: Event) -> list[Key]:
        """Who is to be given a new event; those that are behind keep it for later."""
        given = []
        kind: Any = event.attributes.get("type")
        for place in ((event.namespace, kind), (event.namespace, ANY)):
            for listener in self._by_type.get(place, {}).values():
                if listener.held:
                    continue
                if listener.behind:
                    listener.pending.append(event)
                elif listener.take([event]):
                    given.append(listener.key)
        return given

    @staticmethod
    def _places(listener: Listener) -> list[tuple[str, str]]:
        namespace = listener.key[0].namespace
        return [(namespace, kind) for kind in listener.types or (ANY,)]
