"""``docs/reference/settings.md`` out of the services' settings: ``python -m tests.contracts.reference`` writes it."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.common.settings import Common

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "settings.md"

_HEAD = """\
# Settings

Every service is set up by environment variables alone; a wrong one ends it at its start with a line that names it.
`faas up` sets them by itself, on a cluster the manifests under `deploy/` do. Durations are seconds. This page is made
of the services' `config.py` by `python -m tests.contracts.reference`; a test compares the two.

The variables of the command line are in [cli.md](cli.md), those of a function's Pod in [runtime.md](runtime.md).
"""


def settings_types() -> Iterator[tuple[str, type[Common]]]:
    """Each service's name and settings; first what all of them have."""
    yield "Every service", Common
    for file in sorted((ROOT / "services").glob("*/config.py")):
        module = importlib.import_module(f"services.{file.parent.name}.config")
        for value in vars(module).values():
            if inspect.isclass(value) and issubclass(value, Common) and value.__module__ == module.__name__:
                yield f"The {file.parent.name}", value


def descriptions(type_: type) -> dict[str, str]:
    """The text below each field of a class, in one line each."""
    (definition,) = ast.parse(inspect.getsource(type_)).body
    assert isinstance(definition, ast.ClassDef)
    found, name = {}, ""
    for statement in definition.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name = statement.target.id
        elif name and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            found[name] = " ".join(str(statement.value.value).split()).replace("``", "`").replace("|", "\\|")
            name = ""
    return found


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, type_ in settings_types():
        texts = descriptions(type_)
        rows = [
            f"| `FAAS_{field.name.upper()}` | {_default(field)} | {texts[field.name]} |"
            for field in msgspec.structs.fields(type_)
            if field.name in texts
        ]
        parts.append("\n".join([f"## {title}\n", "| variable | default | meaning |", "| --- | --- | --- |", *rows, ""]))
    return "\n".join(parts)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "(needed)"
    value = str(field.default).lower() if isinstance(field.default, bool) else f"{field.default}"
    return f"`{value}`" if value else ""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
