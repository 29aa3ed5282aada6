"""Every task of a definition, and the lists that tasks stand in."""

from collections.abc import Iterator

from services.contracts.workflow.calls import CallAsyncApi
from services.contracts.workflow.model import Definition
from services.contracts.workflow.task import Task
from services.contracts.workflow.tasks import DoTask, ForkTask, ForTask, ListenTask, TryTask


def task_lists(task: Task) -> list[tuple[list[Task], bool]]:
    """The lists of tasks directly inside a task, each with whether its tasks run in sequence (not so branches)."""
    if isinstance(task, DoTask | ForTask):
        return [(task.do, True)]
    if isinstance(task, ForkTask):
        return [(task.fork.branches, False)]
    if isinstance(task, TryTask):
        return [(task.try_, True), (task.catch.do, True)]
    if isinstance(task, ListenTask) and task.foreach is not None:
        return [(task.foreach.do, True)]
    if isinstance(task, CallAsyncApi):
        subscription = task.with_.subscription
        if subscription is not None and subscription.foreach is not None:
            return [(subscription.foreach.do, True)]
    return []


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
