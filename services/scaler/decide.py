"""How many Pods a Function needs. Pure: a function of its rules, its load, what runs, and ``now``.

After the manner of Knative's autoscaler: average concurrency over a stable window, and over a short one that takes over
when load jumps (panic). While panicking it only goes up.
"""

import math
from typing import NamedTuple

from services.contracts.durations import parse_duration
from services.contracts.resources import FunctionSpec

PANIC_AT = 2.0
"""The short window must ask for this many times the ready Pods to be taken for a jump."""
SLACK = 0.9
"""Fewer Pods must be filled to at most this share of their target: without it, load at a boundary flaps."""
SHORTEST_STAY = 2.0
"""Seconds that a started Pod stays at least: a caller that was told to come back in a second must find it."""


class Rules(NamedTuple):
    """A Function's scale settings, in Pods, calls and seconds."""

    min: int
    max: int
    concurrency: int
    target: float
    """Calls that one Pod should carry."""
    window: float
    panic_window: float
    zero_after: float


class Load(NamedTuple):
    """What was observed of a Function's calls."""

    stable: float = 0.0
    """Average of calls in flight or queued over the stable window."""
    panic: float = 0.0
    """The same over the panic window."""
    in_flight: int = 0
    queued: int = 0
    idle_for: float = 0.0
    """Seconds since the last sign of a call."""
    observed_for: float = 0.0
    """Seconds of unbroken observation."""
    asked: bool = False
    """A call came in while nothing ran."""


class Running(NamedTuple):
    """What runs of the revision that serves."""

    replicas: int
    ready: int
    settled_for: float
    """Seconds since its first Pod was ready or its start had failed; negative while neither is known."""


class Decision(NamedTuple):
    """How many Pods, and why in a few words. ``panic_until`` goes into the next decision."""

    replicas: int
    reason: str
    panic_until: float


NO_PANIC = -math.inf


def rules_of(spec: FunctionSpec) -> Rules:
    """The rules that a valid ``spec`` states."""
    scale = spec.scale
    return Rules(
        scale.min,
        scale.max,
        spec.concurrency,
        max(spec.concurrency * scale.target / 100, 0.01),
        parse_duration(scale.window),
        parse_duration(scale.panic_window),
        parse_duration(scale.scale_to_zero_after),
    )


def decide(rules: Rules, load: Load, running: Running, panic_until: float, now: float) -> Decision:
    """The replicas that ``load`` needs, within the rules' bounds."""
    floor = _needed_now(rules, load, running)
    sudden = math.ceil(load.panic / rules.target)
    if running.replicas and sudden >= PANIC_AT * max(1, running.ready):
        panic_until = now + rules.window
    want, reason = max(math.ceil(load.stable / rules.target), floor), "load"
    if not running.replicas:
        # what the windows remember is of calls that are over
        want, reason = floor, "a call came in" if floor else "idle"
    elif floor == 0 and rules.min == 0 and _idle(rules, load, running):
        want, reason, panic_until = 0, "idle", NO_PANIC
    elif now < panic_until:
        want, reason = max(want, sudden, running.replicas), "load has jumped"
    elif want < running.replicas:
        want, reason = _down(rules, load, running, want)
    bounded = min(max(want, rules.min), rules.max)
    return Decision(bounded, reason if bounded == want else "bounds", panic_until)


def _needed_now(rules: Rules, load: Load, running: Running) -> int:
    """Pods that calls in flight occupy, or, where no Pod is ready and to stay, that the waiting callers need."""
    if running.replicas and running.ready:
        return math.ceil(load.in_flight / rules.concurrency)
    waiting = math.ceil((load.in_flight + load.queued) / rules.concurrency)
    return max(waiting, 1) if load.asked else waiting


def _idle(rules: Rules, load: Load, running: Running) -> bool:
    return (
        load.in_flight == load.queued == 0
        and load.idle_for >= rules.zero_after
        and load.observed_for >= rules.zero_after
        and running.settled_for >= max(rules.zero_after, SHORTEST_STAY)
    )


def _down(rules: Rules, load: Load, running: Running, want: int) -> tuple[int, str]:
    """Fewer than run now, but never none (that is for idleness), and nothing on an incomplete memory."""
    if load.observed_for < rules.window:
        return running.replicas, "observing"
    relaxed = math.ceil(load.stable / (rules.target * SLACK))
    return min(running.replicas, max(want, relaxed, 1)), "load"
