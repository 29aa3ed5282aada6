"""The state of a run: what ``apply`` makes of its records."""

from copy import copy
from typing import Any, Literal

import msgspec
from msgspec import UNSET, field

Status = Literal["running", "suspended", "completed", "faulted", "cancelled"]
Waits = Literal["", "timer", "retry", "call", "emit", "child", "spawn", "events", "messages"]
"""``child``: for another run's end; ``spawn``: for its start; ``messages``: of a subscription by AsyncAPI."""
Phase = Literal["new", "running", "next", "answered", "waiting", "ended"]
"""new: about to start; running: started, or a task inside runs; next: a task inside ended; answered: what it waited
for came; waiting; ended: only its output is to be shaped."""
ROOT = 0
"""The id of the frame of the workflow itself."""


MAX_QUEUED = 100
"""Events or messages that wait for their round of ``foreach`` before no more are taken, until half of them are left."""


class Frame(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One task under way, or the workflow itself (id ROOT, pointer "").

    Ids count up through a run: a task done again, by a loop or a retry, has another, so ``(run, id)`` is the
    idempotency key of what it does outside.
    """

    id: int
    pointer: str
    parent: int | None = None
    raw: Any = UNSET
    """The raw input. UNSET for a function of ``use``: its parent's arguments, which may carry secrets."""
    input: Any = UNSET
    """The transformed input; UNSET for a call, whose input may carry secrets: made again when needed."""
    data: Any = None
    """What the next task inside gets; at last the raw output."""
    started_at: float = 0.0
    phase: Phase = "new"
    next: str = ""
    """In phase ``next``: the pointer of the task that follows inside; "" when the list has come to its end."""
    variables: dict[str, Any] = field(default_factory=dict)
    """Seen by the tasks inside."""
    timeout_at: float | None = None
    waits: Waits = ""
    wait_until: float | None = None
    items: list[Any] = field(default_factory=list)
    """``for``: what is iterated over; ``listen`` and subscriptions: what was consumed."""
    outputs: dict[int, Any] = field(default_factory=dict)
    """``fork``: the outputs of the branches that have ended; ``listen``: of the rounds of ``foreach``."""
    index: int = -1
    """``for``, ``listen``: the round under way."""
    branch: int | None = None
    """Which branch of its parent this is."""
    complete: bool = False
    """``listen`` and subscriptions: enough was consumed."""
    last_event: int = 0
    """``listen``: the place among all events of the last one that was consumed."""
    matched: list[int] = field(default_factory=list)
    """``listen``: filters of ``all``, or of ``until``, that had their event."""
    until_matched: list[int] = field(default_factory=list)
    correlations: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    """``try``: the attempt under way, from 1."""
    failed_at: float | None = None
    """``try``: when the first attempt failed."""
    attempt_until: float | None = None
    """``try``: how long the attempt under way may take."""
    catching: bool = False
    ending: bool = False
    """A task inside ended the workflow, so this one ends, and what is around it."""
    held: bool = False
    """``listen`` and subscriptions: so much waits for ``foreach`` that no more is to come for now."""

    @property
    def queued(self) -> int:
        """``listen`` and subscriptions: how much was consumed and has not had its round."""
        return len(self.items) - self.index - 1

    @property
    def is_full(self) -> bool:
        """Whether no more is to come for now: from so many on until half of them are left."""
        return self.queued >= MAX_QUEUED or (self.held and self.queued > MAX_QUEUED // 2)


class State(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A run. ``ready`` are the frames to go on with, in order; a step may leave some (``Continue``)."""

    id: str = ""
    seed: str = ""
    status: Status = "running"
    input: Any = None
    context: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    failed: int | None = None
    """The frame that raised the error, when faulted."""
    started_at: float = 0.0
    ended_at: float | None = None
    next_id: int = 1
    frames: dict[int, Frame] = field(default_factory=dict)
    ready: list[int] = field(default_factory=list)

    def copy(self) -> "State":
        """A state that may be changed without changing this one. Frames are shared until they are changed (``own``);
        lists and objects in a frame are shared too, and replaced, never changed."""
        return msgspec.structs.replace(self, frames=dict(self.frames), ready=list(self.ready))

    def own(self, frame_id: int) -> Frame:
        """A frame to be changed: a copy, in its place. So a frame that is the same object in two states is the same."""
        frame = self.frames[frame_id] = copy(self.frames[frame_id])
        return frame

    @property
    def open(self) -> bool:
        """Whether anything can still happen by itself."""
        return self.status in ("running", "suspended")

    def below(self, frame_id: int) -> list[int]:
        """The ids of the frames inside a frame, at any depth. A frame's id is above its parent's."""
        found = {frame_id}
        for key in sorted(self.frames):
            if self.frames[key].parent in found:
                found.add(key)
        return sorted(found - {frame_id})
