"""Every task of a definition, the lists that tasks stand in, and every schema."""

from collections.abc import Iterator

from services.contracts.workflow.calls import CallAsyncApi
from services.contracts.workflow.data import Export, Input, Output, Schema
from services.contracts.workflow.model import Definition
from services.contracts.workflow.task import Foreach, Task
from services.contracts.workflow.tasks import DoTask, ForkTask, ForTask, ListenTask, TryTask


def task_lists(task: Task) -> list[tuple[list[Task], bool]]:
    """The lists of tasks directly inside a task, each with whether its tasks run in sequence (not so branches)."""
    if isinstance(task, DoTask | ForTask):
        return [(task.do, True)]
    if isinstance(task, ForkTask):
        return [(task.fork.branches, False)]
    if isinstance(task, TryTask):
        return [(task.try_, True), (task.catch.do, True)]
    foreach, _ = foreach_of(task)
    return [] if foreach is None else [(foreach.do, True)]


def foreach_of(task: Task) -> tuple[Foreach | None, str]:
    """What a task does with each event or message that it consumes, and the pointer of that."""
    if isinstance(task, ListenTask):
        return task.foreach, f"{task.pointer}/foreach"
    if isinstance(task, CallAsyncApi) and task.with_.subscription is not None:
        return task.with_.subscription.foreach, f"{task.pointer}/with/subscription/foreach"
    return None, ""


def walk(start: Definition | Task) -> Iterator[Task]:
    """Every task below, ``start`` itself included when it is one, each before those inside it."""
    if isinstance(start, Task):
        yield start
        lists = [tasks for tasks, _ in task_lists(start)]
    else:
        lists = [start.do, list(start.use.functions.values())]
    for tasks in lists:
        for task in tasks:
            yield from walk(task)


def schemas(definition: Definition) -> Iterator[tuple[str, Schema]]:
    """Every JSON Schema of a definition with its pointer, for whoever checks or compiles them."""
    parts: list[tuple[str, Input | Output | Export | None]] = [
        ("/input", definition.input),
        ("/output", definition.output),
    ]
    for task in walk(definition):
        place = task.pointer
        parts += [(f"{place}/input", task.input), (f"{place}/output", task.output), (f"{place}/export", task.export)]
        foreach, place = foreach_of(task)
        if foreach is not None:
            parts += [(f"{place}/output", foreach.output), (f"{place}/export", foreach.export)]
    for place, part in parts:
        if part is not None and part.schema is not None:
            yield f"{place}/schema", part.schema
