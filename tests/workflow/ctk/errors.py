"""The phrases by which a kit says what it expects of the error of a run that faulted, beside those that have it whole:
its properties, one by one; and of how often a task was tried again."""

from typing import Any

from services.contracts.workflow import load_yaml
from tests.workflow.ctk.expectations import check_error
from tests.workflow.ctk.phrases import NAME, NAMES, TASK, Failed, World, equal, names_of, step

_ERROR = r"the (?:workflow(?:'s)? )?error"


def _found(world: World) -> dict[str, Any]:
    equal(world.outcome.status, "faulted", "status")
    return world.outcome.error or {}


@step(r"the error should (?:be|equal|match|include):?")
def _error(world: World, block: str) -> None:
    check_error(_found(world), load_yaml(block))


@step(rf"{_ERROR} should have (?:the )?(?:an? )?(?:property|properties) {NAMES}")
@step(rf"{_ERROR} should have an? {NAMES} property")
def _properties(world: World, names: str) -> None:
    missing = [name for name in names_of(names) if name not in _found(world)]
    if missing:
        raise Failed(f"the error has no {', '.join(missing)}: {_found(world)}")


@step(rf"{_ERROR} should have an? {NAME} property (?:with (?:the )?value|equal to):?")
def _property(world: World, name: str, block: str) -> None:
    check_error(_found(world), {name: load_yaml(block)})


@step(rf"{_ERROR} should have an? {NAME} property (?:with (?:the )?value|equal to) ['\"]?(.*?)['\"]?")
def _property_inline(world: World, name: str, value: str) -> None:
    _property(world, name, value)


@step(rf"{TASK} should (?:be retried|retry|have been retried) (?:exactly )?(once|twice|\d+ times?)")
def _retried(world: World, name: str, times: str) -> None:
    """Of a task inside a try, or of the try itself, whose first task then counts."""
    words = times.split()
    wanted = {"once": 1, "twice": 2}.get(words[0]) or int(words[0])
    tasks = world.outcome.tasks
    inside = tasks[tasks.index(name) + 1 :] if name in tasks else []
    counted = name if tasks.count(name) > 1 or not inside else inside[0]
    equal(tasks.count(counted) - 1, wanted, f"the number of retries of {name} ({', '.join(tasks)})")
