"""A Function under load on virtual time: routers report, Pods start, and the scaler's pure parts decide each second."""

from collections.abc import Callable

from services.contracts.messages import Load as RouterLoad
from services.contracts.messages import LoadReport
from services.scaler.decide import Decision, Rules, Running, decide
from services.scaler.memory import Memory
from services.scaler.windows import Observation, Reports

KEY = "default/add"
RULES = Rules(min=0, max=10, concurrency=10, target=7.0, window=60.0, panic_window=6.0, zero_after=60.0)


class Simulation:
    """``load`` gives the calls in flight or queued at a second. Pods take ``start_seconds`` to be ready."""

    def __init__(self, rules: Rules = RULES, replicas: int = 1, start_seconds: int = 1, now: float = 1000.0) -> None:
        self.rules, self.now, self.start_seconds = rules, now, start_seconds
        self.replicas = replicas
        self._started: list[float] = [now - 60] * replicas
        self.routers = {"router-1": 1.0}
        """Live routers and their share of the load."""
        self.connection: int | None = 1
        self.history: list[int] = []
        self.restart_scaler()
        self.observation.tick(now, self.connection)

    def restart_scaler(self) -> None:
        """All memory is gone."""
        self.memory = Memory(self.now)
        self.reports = Reports()
        self.observation = Observation()

    @property
    def ready(self) -> int:
        return sum(self.now - at >= self.start_seconds for at in self._started)

    def step(self, held: float, *, seconds: float = 1.0) -> Decision:
        """One tick: every router reports its share of the ``held`` calls, then the scaler decides."""
        self.now += seconds
        self.observation.tick(self.now, self.connection)
        if self.connection is not None:
            for router, share in self.routers.items():
                self._report(router, held * share)
        return self.look()

    def _report(self, router: str, held: float) -> None:
        carried = min(held, self.ready * self.rules.concurrency)
        loads = [RouterLoad(KEY, round(carried), round(held - carried), held)] if held else []
        covers, amounts = self.reports.take(LoadReport(router, 0, loads), self.now)
        for amount in amounts.values():
            self.memory.carried(self.now, amount, covers)

    def call(self) -> Decision:
        """A `received` event while nothing runs."""
        self.memory.called(self.now, 1)
        return self.look(asked=True)

    def look(self, asked: bool = False) -> Decision:
        load = self.memory.observed(self.rules, self.reports.held(KEY, self.now), self.observation, asked, self.now)
        settled = self.memory.settle("r1", self.ready > 0, self.now)
        running = Running(self.replicas, self.ready, settled)
        decision = decide(self.rules, load, running, self.memory.panic_until, self.now)
        self.memory.panic_until = decision.panic_until
        self._started = (self._started + [self.now] * decision.replicas)[: decision.replicas]
        self.replicas = decision.replicas
        self.history.append(self.replicas)
        return decision

    def run(self, seconds: int, held: float | Callable[[int], float]) -> list[int]:
        """The replicas of each of the next ``seconds``."""
        for second in range(seconds):
            self.step(held(second) if callable(held) else held)
        return self.history[-seconds:]
