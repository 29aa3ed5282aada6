"""The typer application behind ``faas``: its verbs are imported when they are asked for."""

import importlib
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Annotated, Any, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cli.output import Failure, report, report_bug
from services.contracts.errors import Exit

VERBS = {
    "up": "cli.up:up",
    "down": "cli.down:down",
    "status": "cli.status:status",
    "deploy": "cli.deploy:deploy",
    "execute": "cli.execute:app",
    "list": "cli.list:list_functions",
    "get": "cli.get:get",
    "delete": "cli.delete:delete",
    "logs": "cli.logs:logs",
    "events": "cli.events:events",
    "workflow": "cli.workflow.app:app",
}
"""Each verb's function, or its typer application, as ``module:name``. A new verb is a module and a line here."""

Command = TyperCommand | TyperGroup


class Verbs(Mapping[str, Command]):
    """The verbs by name; each module is imported at its first use, so that a verb pays for its own imports alone."""

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._loaded: dict[str, Command] = {}

    def __getitem__(self, verb: str) -> Command:
        if verb not in self._loaded:
            self._loaded[verb] = _load(self._targets[verb])
        return self._loaded[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


def group_of(targets: Mapping[str, str]) -> type[TyperGroup]:
    """A group of verbs by name, each as in VERBS."""

    class Group(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            # the group only reads its commands; a Mapping would do in its signature too
            self.commands = cast(MutableMapping[str, Any], Verbs(targets))

    return Group


def application(**settings: Any) -> typer.Typer:
    """A typer application as all of ours are: plain help, no shell completion, errors left to ``run``."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings)


faas = application(cls=group_of(VERBS))


@faas.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Serverless functions for Kubernetes over NATS."""
    if version:
        from importlib.metadata import version as installed

        print(f"faas {installed('faas')}")
        raise typer.Exit(Exit.OK)
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(Exit.USAGE)


def run(arguments: Sequence[str]) -> int:
    """Runs ``faas`` with ``arguments``. Returns the exit code (``services.contracts.errors.Exit``; 130: Ctrl-C)."""
    command = get_command(faas)
    try:
        code = command(list(arguments), prog_name="faas", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except Failure as failure:
        return report(failure)
    except typer.TyperException as error:
        said = error.format_message().replace("Value error, ", "")  # how typer's validation begins our own choices
        return report(Failure(said, _usage_hint(error), error.exit_code))
    except typer.Abort:
        return 130
    except SystemExit:
        # typer's only use of it here: the reader of our output is gone (`faas list | head`); as if SIGPIPE had ended us
        return 141
    except Exception as error:
        return report_bug(error)


def _load(target: str) -> Command:
    module, _, name = target.partition(":")
    found = getattr(importlib.import_module(module), name)
    if not isinstance(found, typer.Typer):
        verb = application()
        verb.command()(found)
        found = verb
    return cast(Command, get_command(found))


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path} --help tells how to use it" if context is not None else ""
