"""The phrases by which a kit says what a workflow is, what it is given, and that it is executed: those of the
specification's kit, their obvious variants, and what this project's own features need besides."""

from services.contracts.workflow import load_yaml
from tests.workflow.ctk.phrases import NAME, World, step


@step(r"(?:given )?(?:a|the) (?:following )?workflow (?:with |has |with the following )?definition(?: is)?:?")
@step(r"(?:given )?(?:a|the) (?:following )?workflow(?: is)?(?: defined as)?:?")
def _definition(world: World, block: str) -> None:
    world.case.definition = block


@step(r"another workflow with definition:")
def _another(world: World, block: str) -> None:
    world.case.workflows = [*world.case.workflows, block]


@step(r"(?:given |with )?(?:the )?(?:following )?(?:workflow(?:'s)? )?input(?: is)?:?")
def _input(world: World, block: str) -> None:
    world.case.input = load_yaml(block)


@step(r"(?:the )?workflow is (?:executed|run|started) with (?:the )?(?:following )?input:?")
def _execute_with(world: World, block: str) -> None:
    _input(world, block)
    world.execute()


@step(rf"(?:given )?the (?:workflow )?secret {NAME} is:")
def _secret(world: World, name: str, block: str) -> None:
    world.case.secrets = world.case.secrets | {name: load_yaml(block)}


@step(rf"(?:given )?the function {NAME} returns:")
def _function(world: World, name: str, block: str) -> None:
    world.case.functions = world.case.functions | {name: load_yaml(block)}


@step(r"(?:given )?the events? (?:is|are) (?:sent|published|emitted):")
def _events(world: World, block: str) -> None:
    given = load_yaml(block)
    defaults = {"specversion": "1.0", "source": "/test"}
    for number, event in enumerate(given if isinstance(given, list) else [given]):
        world.case.events = [*world.case.events, defaults | {"id": str(number)} | event]


@step(r"(?:given )?the workflow is cancelled after (\d+(?:\.\d+)?) seconds?")
def _cancelled(world: World, seconds: str) -> None:
    world.case.cancel_at = float(seconds)


@step(r"(?:the )?workflow (?:is (?:executed|run|started|triggered)|executes|runs|starts)")
@step(r"I (?:execute|run|start) the workflow")
def _execute(world: World) -> None:
    world.execute()
