"""What a run reacts to."""

from typing import Any

import msgspec


class Stimulus(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base."""


class Start(Stimulus, frozen=True, kw_only=True):
    """Begins a run. ``seed``: random text, the source of its jitter and event ids."""

    id: str
    seed: str
    input: Any = None


class CallEnded(Stimulus, frozen=True, kw_only=True):
    """The outcome of a Call, Emit or RunWorkflow command: an output, or an error (RFC 7807: type, status, and perhaps
    title and detail). Emit has no output."""

    task: int
    output: Any = None
    error: dict[str, Any] | None = None


class TimerFired(Stimulus, frozen=True, kw_only=True):
    """A timer of StartTimer is due; one that is no longer wanted does nothing."""

    timer: str


class EventArrived(Stimulus, frozen=True, kw_only=True):
    """A CloudEvent for a subscribed task; one that does not match does nothing. ``sequence``: its place among all
    events, above 0; one at or before the last that the task consumed was delivered again, and does nothing either."""

    task: int
    event: dict[str, Any]
    sequence: int = 0


class MessageArrived(Stimulus, frozen=True, kw_only=True):
    """A message for a subscription by AsyncAPI: ``payload``, ``headers`` and perhaps ``correlationId``. Its calls end
    by themselves only with an error (CallEnded)."""

    task: int
    message: dict[str, Any]


class Cancel(Stimulus, frozen=True, kw_only=True):
    """Ends an open run."""


class Pause(Stimulus, frozen=True, kw_only=True):
    """Nothing new begins until Resume; outcomes are still recorded."""


class Resume(Stimulus, frozen=True, kw_only=True):
    """Lets a suspended run go on."""


class Retry(Stimulus, frozen=True, kw_only=True):
    """Runs a faulted run again from the task that raised the error."""


class Recovered(Stimulus, frozen=True, kw_only=True):
    """A new owner drives the run: all that is outstanding is commanded again, marked as repeated."""


class Continue(Stimulus, frozen=True, kw_only=True):
    """Goes on with what a step left, as its command of that name asked."""


AnyStimulus = (
    Start | CallEnded | TimerFired | EventArrived | MessageArrived | Cancel | Pause | Resume | Retry | Recovered
    | Continue
)  # fmt: skip
