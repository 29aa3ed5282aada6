"""A workflow's definition as a Mermaid flowchart (mermaid.js.org), with the state of a run as classes. Pure."""

from collections.abc import Iterator, Mapping

from services.contracts.workflow import Definition
from services.contracts.workflow.calls import Call
from services.contracts.workflow.task import Task
from services.contracts.workflow.tasks import DoTask, ForkTask, ForTask, ListenTask, RunTask, SwitchTask, TryTask

_START, _END = "start", "finish"
_CLASSES = {
    "completed": "fill:#d8f0dc,stroke:#2e7d32,color:#111",
    "running": "fill:#d6e8fb,stroke:#1565c0,color:#111",
    "waiting": "fill:#fdf3d0,stroke:#b7860b,color:#111",
    "pending": "fill:#f3f3f3,stroke:#777,color:#111",
    "skipped": "fill:#f3f3f3,stroke:#999,color:#777,stroke-dasharray:4",
    "faulted": "fill:#fadbd8,stroke:#b71c1c,color:#111",
    "cancelled": "fill:#e6e6e6,stroke:#555,color:#555",
}


class Flowchart:
    """``statuses``: of the tasks of a run, by pointer; empty for the definition alone."""

    def __init__(self, definition: Definition, statuses: Mapping[str, str]) -> None:
        self._definition = definition
        self._statuses = statuses
        self._ids: dict[str, str] = {}

    def text(self) -> str:
        """The whole flowchart."""
        document, tasks = self._definition.document, self._definition.do
        lines = [
            "flowchart TD",
            f'  {_START}(["{_label(f"{document.name} {document.version}")}"])',
            f'  {_END}(["end"])',
        ]
        first = self._id(tasks[0]) if tasks else _END
        lines += [f"  {_START} --> {first}", *self._tasks(tasks, _END, "  ")]
        return "\n".join([*lines, *self._classes()]) + "\n"

    def _id(self, task: Task) -> str:
        return self._ids.setdefault(task.pointer, f"n{len(self._ids)}")

    def _tasks(self, tasks: list[Task], after: str, indent: str) -> Iterator[str]:
        """A list of tasks in order; ``after``: what follows its last one, "" for nothing inside the same frame."""
        for task in tasks:
            yield from self._task(task, indent)
        for index, task in enumerate(tasks):
            follows = self._id(tasks[index + 1]) if index + 1 < len(tasks) else after
            yield from self._edges(task, tasks, follows, after, indent)

    def _edges(self, task: Task, tasks: list[Task], follows: str, after: str, indent: str) -> Iterator[str]:
        ways: list[tuple[str | None, str, str]] = []
        if isinstance(task, SwitchTask):
            ways += [(case.then, case.name, "-->") for case in task.switch]
        if not isinstance(task, SwitchTask) or all(case.when is not None for case in task.switch):
            ways.append((task.then, "", "-->"))
        if isinstance(task, TryTask) and task.catch.then is not None:
            ways.append((task.catch.then, "caught", "-.->"))
        for then, label, arrow in ways:
            goal = self._goal(then, tasks, follows, after)
            if goal:
                said = f'|"{_label(label)}"|' if label else ""
                yield f"{indent}{self._id(task)} {arrow}{said} {goal}"

    def _goal(self, then: str | None, tasks: list[Task], follows: str, after: str) -> str:
        if then in (None, "continue"):
            return follows
        if then in ("exit", "end"):
            return _END if then == "end" else after
        return next((self._id(other) for other in tasks if other.name == then), "")

    def _task(self, task: Task, indent: str) -> Iterator[str]:
        own, label = self._id(task), _label(f"{task.name}\n{_kind(task)}")
        inner = list(self._inside(task, indent + "  "))
        if inner:
            yield f'{indent}subgraph {own}["{label}"]'
            yield from inner
            yield f"{indent}end"
        elif isinstance(task, SwitchTask):
            yield f'{indent}{own}{{"{label}"}}'
        elif isinstance(task, Call | RunTask):
            yield f'{indent}{own}[["{label}"]]'
        else:
            yield f'{indent}{own}["{label}"]'

    def _inside(self, task: Task, indent: str) -> Iterator[str]:
        if isinstance(task, DoTask | ForTask):
            yield from self._tasks(task.do, "", indent)
        elif isinstance(task, ForkTask):
            for branch in task.fork.branches:
                yield from self._task(branch, indent)
        elif isinstance(task, ListenTask) and task.foreach is not None:
            yield from self._tasks(task.foreach.do, "", indent)
        elif isinstance(task, TryTask) and task.try_:
            yield from self._try(task, indent)

    def _try(self, task: TryTask, indent: str) -> Iterator[str]:
        own = self._id(task)
        if not task.catch.do:
            yield from self._tasks(task.try_, "", indent)
            return
        for name, tasks in (("try", task.try_), ("catch", task.catch.do)):
            yield f'{indent}subgraph {own}{name}["{name}"]'
            yield from self._tasks(tasks, "", indent + "  ")
            yield f"{indent}end"
        yield f'{indent}{own}try -.->|"error"| {own}catch'

    def _classes(self) -> Iterator[str]:
        found: dict[str, list[str]] = {}
        for pointer, own in self._ids.items():
            if pointer in self._statuses:
                found.setdefault(self._statuses[pointer], []).append(own)
        for status, ids in sorted(found.items()):
            if status in _CLASSES:
                yield f"  classDef {status} {_CLASSES[status]}"
                yield f"  class {','.join(ids)} {status}"


def _kind(task: Task) -> str:
    """What a task does, in a few words."""
    when = "if, " if task.if_ is not None else ""
    if isinstance(task, Call):
        return f"{when}call {task.call}"
    if isinstance(task, RunTask):
        return f"{when}run {task.run.workflow.namespace}/{task.run.workflow.name}"
    if isinstance(task, ForkTask) and task.fork.compete:
        return f"{when}fork, the first wins"
    if isinstance(task, TryTask) and task.catch.retry is not None:
        return f"{when}try, with retries"
    return when + type(task).__name__.removesuffix("Task").lower()


def _label(text: str) -> str:
    """Text as it may stand in quotes: Mermaid has entities for what would end it or begin markup."""
    for sign, entity in (("#", "#35;"), ("&", "#amp;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        text = text.replace(sign, entity)
    return text.replace("\n", "<br/>")


def flowchart(definition: Definition, statuses: Mapping[str, str]) -> str:
    """The flowchart of a definition; ``statuses`` of a run's tasks by pointer colour it."""
    return Flowchart(definition, statuses).text()
