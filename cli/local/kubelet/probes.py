"""Probe bookkeeping: when to probe next and what a row of results means. Pure, on the time it is given.

Until a container has once answered, its readiness and startup probes run many times a second instead of each
`periodSeconds`: a cold start waits for this. The pause grows with the time since the start (a twentieth of it), so
finding a container ready costs at most 5 % of the time it took, and a container that never answers costs little.
"""

from typing import Literal

import msgspec

from cli.local.kubelet.resources import Container, Probe

Kind = Literal["startup", "readiness", "liveness"]
EAGER_FIRST = 0.002
"""Seconds between probes right after the start: a refused connection on loopback costs 0.1 ms of CPU."""
EAGER_SHARE = 0.05


class Prober(msgspec.Struct, kw_only=True):
    """One probe of one run of a container; `now` is monotonic seconds throughout."""

    kind: Kind
    probe: Probe
    began: float
    succeeded_once: bool = False
    successes: int = 0
    failures: int = 0
    counted_at: float = 0.0
    verdict: bool | None = None

    def first_delay(self) -> float:
        """Seconds from the container's start to the first probe.

        Liveness is first asked after a period: at 0 s, with a failureThreshold of 1, no program would live.
        """
        delay = float(self.probe.initial_delay_seconds)
        return delay or float(max(1, self.probe.period_seconds)) if self.kind == "liveness" else delay

    def next_delay(self, now: float) -> float:
        """Seconds from the last result to the next probe."""
        period = float(max(1, self.probe.period_seconds))
        if self.kind == "liveness" or self.succeeded_once:
            return period
        return min(period, max(EAGER_FIRST, (now - self.began - self.first_delay()) * EAGER_SHARE))

    def observe(self, success: bool, now: float) -> bool | None:
        """Take a result; the new verdict (True, False) when the thresholds have changed it, else None.

        Of the failures in one period one counts, so that probing often never uses up `failureThreshold` early.
        """
        if success:
            self.succeeded_once = True
            self.successes, self.failures = self.successes + 1, 0
            reached = self.successes >= max(1, self.probe.success_threshold)
        else:
            self.successes = 0
            since = max(self.counted_at, 0.0 if self.kind == "liveness" else self.began + self.first_delay())
            if now - since < max(1, self.probe.period_seconds) * 0.99:
                return None
            self.counted_at = now
            self.failures += 1
            reached = self.failures >= max(1, self.probe.failure_threshold)
        if not reached or self.verdict is success:
            return None
        self.verdict = success
        return success


def probers(container: Container, began: float, started: bool) -> list[Prober]:
    """The probes to run now: the startup probe alone until it has succeeded, then the two others."""
    if container.startup_probe is not None and not started:
        return [Prober(kind="startup", probe=container.startup_probe, began=began)]
    found = []
    if container.readiness_probe is not None:
        found.append(Prober(kind="readiness", probe=container.readiness_probe, began=began))
    if container.liveness_probe is not None:
        found.append(Prober(kind="liveness", probe=container.liveness_probe, began=began))
    return found
