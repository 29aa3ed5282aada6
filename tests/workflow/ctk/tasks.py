"""The phrases by which a kit says which tasks ran, in which order, and how they ended."""

from services.contracts.workflow import load_yaml
from tests.workflow.ctk.expectations import check_error
from tests.workflow.ctk.phrases import NAMES, TASK, Failed, World, equal, names_of, status_of, step

_RUN = r"(?:run|be run|be executed|execute|have run|have been (?:run|executed))"
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1}


@step(rf"{TASK} should {_RUN} (?:in )?(first|second|third|fourth|fifth|last)")
def _place(world: World, name: str, place: str) -> None:
    tasks = world.outcome.tasks
    index = _PLACES[place.lower()]
    if index >= len(tasks) or not tasks:
        raise Failed(f"only {len(tasks)} tasks ran")
    equal(tasks[index], name, f"the {place} task")


@step(rf"{TASK} should {_RUN} (immediately |directly |right )?(before|after) {TASK}")
def _order(world: World, name: str, near: str | None, relation: str, other: str) -> None:
    tasks = world.outcome.tasks
    for each in (name, other):
        if each not in tasks:
            raise Failed(f"{each} did not run; {', '.join(tasks)} did")
    distance = (tasks.index(other) - tasks.index(name)) * (1 if relation.lower() == "before" else -1)
    if distance < 1 or (near and distance > 1):
        raise Failed(f"{name} did not run {near or ''}{relation} {other}: {tasks}")


@step(rf"{TASK} should (not |never )?{_RUN}(?: (?:exactly )?(once|twice|\d+ times?))?")
def _ran(world: World, name: str, never: str | None, times: str | None) -> None:
    count = world.outcome.tasks.count(name)
    words = (times or "1 time").split()
    expected = {"once": 1, "twice": 2}.get(words[0]) or int(words[0])
    if (never and count) or (not never and not count) or (times and count != expected):
        raise Failed(f"{name} ran {count} times; {', '.join(world.outcome.tasks)} did")


@step(rf"{NAMES} should (not |never )?{_RUN}")
def _ran_all(world: World, names: str, never: str | None) -> None:
    for name in names_of(names):
        _ran(world, name, never, None)


@step(rf"{TASK} should (not )?(complete|fault|cancel|fail|succeed|be (?:completed|faulted|cancelled|skipped))")
def _task_status(world: World, name: str, never: str | None, verb: str) -> None:
    if never:
        found = world.outcome.results.get(name)
        if found is not None and found.status == status_of(verb):
            raise Failed(f"status of {name} is {found.status}")
        return
    result = world.result(name)
    equal(result.status, status_of(verb), f"status of {name} (error {result.error})")


@step(rf"{TASK} should (?:complete|succeed) with (?:the )?output:?")
def _task_output(world: World, name: str, block: str) -> None:
    _task_status(world, name, None, "complete")
    equal(world.result(name).output, load_yaml(block), f"output of {name}")


@step(rf"{TASK} should (?:fault|fail) with (?:the |an )?error:?")
def _task_error(world: World, name: str, block: str) -> None:
    _task_status(world, name, None, "fault")
    check_error(world.result(name).error, load_yaml(block))
