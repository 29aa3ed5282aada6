"""What the scaler remembers of one Function between two looks at it. Pure in ``now`` (monotonic seconds)."""

from enum import Enum, auto

from services.scaler.decide import NO_PANIC, Load, Rules
from services.scaler.windows import Held, Observation, Series


class StatusNews(Enum):
    """What is to be told in the status of that which may wait: nothing, something soon, something now."""

    NONE = auto()
    WAITING = auto()
    DUE = auto()


class Memory:
    """One Function's past as this process saw it."""

    def __init__(self, now: float) -> None:
        self.load = Series()
        """Concurrency-seconds."""
        self.calls = Series()
        """Calls received."""
        self.last_active = now
        self.panic_until = NO_PANIC
        self.wanted: tuple[str, int] | None = None
        """Revision and replicas of the last decision, by which a change made by anybody else is noticed."""
        self.status = StatusNews.NONE
        self._settled: tuple[str, float] | None = None
        self._traffic: tuple[str, float] = ("", now)

    def called(self, now: float, count: int) -> None:
        """``count`` calls were received."""
        self.calls.add(now, count)
        self.last_active = now

    def carried(self, now: float, concurrency_seconds: float, covers: float) -> None:
        """A router reported what it carried in the ``covers`` seconds since its last report."""
        self.load.add(now, concurrency_seconds, covers)
        self.last_active = now

    def observed(self, rules: Rules, held: Held, observation: Observation, asked: bool, now: float) -> Load:
        """The load that decides."""
        if held.in_flight or held.queued:
            self.last_active = now
        span = max(1.0, observation.span(now))
        return Load(
            stable=self.load.total(now, rules.window) / min(rules.window, span),
            panic=self.load.total(now, rules.panic_window) / min(rules.panic_window, span),
            in_flight=held.in_flight,
            queued=held.queued,
            idle_for=now - self.last_active,
            observed_for=observation.lasted(now),
            asked=asked,
        )

    def settle(self, revision: str, known: bool, now: float) -> float:
        """Seconds since it was first known whether ``revision`` starts; negative while it is not."""
        if not known:
            self._settled = None
            return -1.0
        if self._settled is None or self._settled[0] != revision:
            self._settled = (revision, now)
        return now - self._settled[1]

    def traffic(self, revision: str, now: float) -> float:
        """Seconds since the Function's status was first seen to send traffic to ``revision``."""
        if self._traffic[0] != revision:
            self._traffic = (revision, now)
        return now - self._traffic[1]
