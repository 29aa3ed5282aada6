"""docs/reference/cli.md says what the command has: every verb, every option, every exit code."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command

from cli.app import VERBS, faas
from cli.packing.ignore import NEVER
from services.contracts.errors import Exit

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def sections() -> dict[str, str]:
    parts = re.split(r"(?m)^## ", TEXT)[1:]
    return {part.partition("\n")[0]: part for part in parts}


def commands() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    """Every verb with its command, those of groups too."""
    group: Any = get_command(faas)
    for verb in VERBS:
        command = group.commands[verb]
        yield verb, command
        for inner in getattr(command, "commands", ()):
            yield f"{verb} {inner}", command.commands[inner]


def test_every_verb_and_option_is_described() -> None:
    found = sections()
    for verb, command in commands():
        (text,) = [text for title, text in found.items() if re.match(rf"`faas {verb}(`| [A-Z\[])", title)]
        options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        options = {name for name in options if name.startswith("-")} - {"--dir", "--help"}
        mentioned = set(re.findall(r"(?<![\w-])--?[A-Za-z][a-z-]*", text))
        assert options <= mentioned, (verb, options - mentioned)
        assert {name for name in mentioned if name.startswith("--")} <= options | {"--dir"} | foreign(verb), verb


def foreign(verb: str) -> set[str]:
    """Options of other verbs that a verb's section speaks of."""
    return {"deploy": {"--image", "--name"}, "workflow": {"--namespace", "--output"}}.get(verb, set())


def test_every_exit_code_is_described() -> None:
    codes = {value for name, value in vars(Exit).items() if name.isupper()}
    assert {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", sections()["Exit codes"])} == codes | {130, 141}


def test_what_stays_behind_is_described() -> None:
    text = sections()["`faas deploy FILE|DIR|MANIFEST`"]
    assert {pattern for pattern in NEVER if f"`{pattern}`" not in text} == {"/function.yaml"}
