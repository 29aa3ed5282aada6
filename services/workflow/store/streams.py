"""The streams of the workflow service, and the subjects in them."""

import asyncio
import logging
import zlib
from typing import Any

from services.contracts.names import FunctionRef
from services.workflow.store.jetstream import JetStream, Refused, Unavailable

log = logging.getLogger("store")

STATE = "WORKFLOW"
"""Definitions, snapshots of runs, cursors of schedules."""
SHARDS = 4
"""Streams that the transitions of runs are spread over. Where each message is synced to disk before it is acknowledged,
one stream takes some 1,000 a second, four take 4,400 (measured, 32 writers): they sync side by side."""
BLOBS = "WORKFLOW_BLOBS"
TIMERS = "WORKFLOW_TIMERS"
EVENTS = "WORKFLOW_EVENTS"

_PREFIX = "faas.sys.workflow."
_IN_USE = 10058
"""JetStream's error code for a stream that is there with another configuration."""
_NO_ROOM = 10047
"""And for a limit that is more than there is room for: nats-server sets it aside."""
_LEAST_BYTES = 16 * 2**20
_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
_DAY = 86_400


def runs(shard: int) -> str:
    """The name of one of the streams of transitions."""
    return f"WORKFLOW_RUNS_{shard}"


def shard_of(ref: FunctionRef) -> int:
    """Which of them has a run."""
    return zlib.crc32(f"{ref.namespace}/{ref.name}".encode()) % SHARDS


def runs_of(ref: FunctionRef) -> str:
    """The name of the stream that has a run."""
    return runs(shard_of(ref))


def run(ref: FunctionRef) -> str:
    """The transitions of a run."""
    return f"{_PREFIX}run.{shard_of(ref)}.{ref.namespace}.{ref.name}"


def every_run(shard: int, namespace: str = "*") -> str:
    """The transitions of all runs of a namespace in one of the streams."""
    return f"{_PREFIX}run.{shard}.{namespace}.*"


def snapshot(ref: FunctionRef) -> str:
    """The last snapshot of a run."""
    return f"{_PREFIX}snapshot.{ref.namespace}.{ref.name}"


def definition(digest: str) -> str:
    """A definition's document."""
    return f"{_PREFIX}definition.{digest}"


def settled(question: str) -> str:
    """Which definition answers a question."""
    return f"{_PREFIX}definition.settled-{question}"


def blob(ref: FunctionRef, digest: str, part: str) -> str:
    """A part of a large record of a run."""
    return f"{_PREFIX}blob.{ref.namespace}.{ref.name}.{digest}.{part}"


def timer(ref: FunctionRef, name: str) -> str:
    """Where a timer waits."""
    return f"{_PREFIX}timer.{ref.namespace}.{ref.name}.{name}"


def fired(ref: FunctionRef, name: str) -> str:
    """Where nats-server puts it when it is due."""
    return f"{_PREFIX}fired.{ref.namespace}.{ref.name}.{name}"


def cursor(ref: FunctionRef) -> str:
    """How far the schedule of a workflow has read its events."""
    return f"{_PREFIX}cursor.{ref.namespace}.{ref.name}"


def event(namespace: str) -> str:
    """The CloudEvents for the workflows of a namespace."""
    return f"{_PREFIX}event.{namespace}"


DUE = f"{_PREFIX}due"
"""Where fired timers are delivered; the instances share them as a queue group."""

ARRIVED = f"{_PREFIX}arrived"
"""Where events are delivered for schedules; the instances share them as a queue group."""


def run_ref(subject: str) -> FunctionRef:
    """The run of a ``run`` or ``snapshot`` subject."""
    _, namespace, name = subject.rsplit(".", 2)
    return FunctionRef(namespace, name)


def configurations(replicas: int) -> list[dict[str, Any]]:
    """Every stream as it should be."""
    common = {"storage": "file", "num_replicas": replicas, "allow_direct": True, "max_age": 0, "discard": "new"}
    everything = FunctionRef("*", "*")
    return [
        *(common | {"name": runs(shard), "subjects": [every_run(shard)]} for shard in range(SHARDS)),
        common
        | {
            "name": STATE,
            "subjects": [snapshot(everything), definition("*"), cursor(everything)],
            "allow_rollup_hdrs": True,
        },
        common | {"name": BLOBS, "subjects": [blob(everything, "*", "*")]},
        common
        | {
            "name": TIMERS,
            "subjects": [timer(everything, "*"), fired(everything, "*")],
            "allow_msg_schedules": True,
            "discard": "old",  # what scheduling asks for; there is no limit at which anything would be discarded
            "retention": "workqueue",  # a fired timer goes when it has been taken
        },
        common
        | {
            "name": EVENTS,
            "subjects": [event("*")],
            "discard": "old",
            "max_age": _DAY * 10**9,
            "max_bytes": 2**30,
            # a sender whose answer was lost sends again within minutes
            "duplicate_window": 600 * 10**9,
        },
    ]


async def prepare(js: JetStream, replicas: int) -> None:
    """Makes the streams, or brings them to this configuration; what else an operator has set in one stays.

    Waits for a JetStream that is not there yet or will not have them, and says why; cancel it to give up.
    """
    for wanted in configurations(replicas):
        pause = _PAUSE
        while True:
            try:
                await _ensure(js, wanted)
                break
            except Unavailable as error:
                log.warning("there is no stream %s yet: %s", wanted["name"], error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


async def _ensure(js: JetStream, wanted: dict[str, Any]) -> None:
    name = wanted["name"]
    try:
        try:
            await js.api(f"STREAM.CREATE.{name}", wanted)
        except Refused as error:
            if error.code != _IN_USE:
                raise
            found = (await js.api(f"STREAM.INFO.{name}"))["config"]
            await js.api(f"STREAM.UPDATE.{name}", found | wanted)
    except Refused as error:
        if error.code != _NO_ROOM or wanted.get("max_bytes", 0) < _LEAST_BYTES:
            raise
        less = wanted["max_bytes"] // 4
        log.warning("the disk has no room for a stream %s of %d bytes: it gets %d", name, wanted["max_bytes"], less)
        await _ensure(js, wanted | {"max_bytes": less})
