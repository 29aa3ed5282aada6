"""A definition with its tasks by pointer, and which task stands after which."""

from typing import Any

from services.contracts.workflow import Definition, task_lists, walk
from services.contracts.workflow.data import Input, Output
from services.contracts.workflow.task import Task


class Plan:
    """Made once for a definition and shared by its runs; nothing in it changes."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.tasks: dict[str, Task] = {task.pointer: task for task in walk(definition)}
        self._siblings: dict[str, tuple[list[Task], int]] = {}
        self._enter(definition.do)
        for task in self.tasks.values():
            for tasks, in_sequence in task_lists(task):
                if in_sequence:
                    self._enter(tasks)

    def _enter(self, tasks: list[Task]) -> None:
        for index, task in enumerate(tasks):
            self._siblings[task.pointer] = (tasks, index)

    def task(self, pointer: str) -> Task | None:
        """The task at a pointer; None for the workflow itself, whose pointer is empty."""
        return self.tasks.get(pointer)

    def after(self, pointer: str, directive: str | None) -> str:
        """Where a task's list goes on: the pointer of the next task, or "" when the list has come to its end."""
        siblings, index = self._siblings.get(pointer, ([], 0))
        if directive in (None, "continue"):
            return siblings[index + 1].pointer if index + 1 < len(siblings) else ""
        return next((task.pointer for task in siblings if task.name == directive), "")

    def data_flow(self, pointer: str) -> tuple[Input | None, Output | None]:
        """``input`` and ``output`` of a task, or of the workflow."""
        owner: Any = self.tasks.get(pointer, self.definition)
        return owner.input, owner.output
