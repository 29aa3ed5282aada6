"""What was written lately, per resource, and who is told of it.

A watch that starts at a resourceVersion reads the events after it from here; when they are no longer held it is told
so (410) and its client lists again. Events are encoded once, whatever the number of watchers.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec


class Event(msgspec.Struct, eq=False):
    """One committed write. `stored` is the state after it (the last state for DELETED), `old` the state before it."""

    kind: str
    version: int
    stored: Any
    old: Any
    lines: dict[Any, bytes] = msgspec.field(default_factory=dict)  # encodings made so far, by what was asked for


class History:
    """Bounded event history and subscribers of every resource."""

    def __init__(self, limit: int = 2048) -> None:
        """`limit`: events kept per resource; a watcher that falls further behind starts over."""
        self._limit = limit
        self._started_at = 0
        self._channels: dict[str, _Channel] = {}
        self.version = 0

    def start(self, version: int) -> None:
        """Begin at a resourceVersion: what happened before it is unknown, since history does not survive a restart."""
        self._started_at = self.version = version

    def record(self, resource: str, event: Event) -> None:
        self.version = event.version
        channel = self._channel(resource)
        if len(channel.events) == self._limit:
            channel.known_after = channel.events[0].version
        channel.events.append(event)
        for subscriber in tuple(channel.subscribers):
            subscriber(event)

    def since(self, resource: str, version: int) -> list[Event] | None:
        """Events after `version`, oldest first, or None when some of them are no longer held."""
        channel = self._channel(resource)
        if version < channel.known_after:
            return None
        events = channel.events
        if not events or events[-1].version <= version:
            return []
        newer = []
        for event in reversed(events):
            if event.version <= version:
                break
            newer.append(event)
        return newer[::-1]

    def subscribe(self, resource: str, subscriber: Callable[[Event], None]) -> Callable[[], None]:
        """Call `subscriber` for every later event of the resource, in order; returns how to end that."""
        subscribers = self._channel(resource).subscribers
        subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in subscribers:
                subscribers.remove(subscriber)

        return unsubscribe

    def _channel(self, resource: str) -> "_Channel":
        channel = self._channels.get(resource)
        if channel is None:
            channel = self._channels[resource] = _Channel(deque(maxlen=self._limit), self._started_at, [])
        return channel


class _Channel(msgspec.Struct):
    events: deque[Event]
    known_after: int  # every event with a greater version is held
    subscribers: list[Callable[[Event], None]]
