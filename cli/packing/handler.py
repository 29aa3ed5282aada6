"""Finds a function's handler by reading its source, without running it."""

import ast
from typing import NamedTuple

from cli.output import Failure, usage

HANDLE = "handle"
APP = "app"


class Names(NamedTuple):
    """What a module defines at its top level; ``open``: it may define more, since it has ``import *``."""

    functions: list[str]
    others: set[str]
    open: bool

    def have(self, name: str) -> bool:
        """Whether the module has ``name``, as far as one can tell."""
        return self.open or name in self.functions or name in self.others


def names_of(text: str, path: str) -> Names:
    """The names that a module defines. Raises Failure with line and column when it is no Python."""
    try:
        tree = ast.parse(text, path)
    except SyntaxError as error:
        raise usage(_syntax(path, error), "is it written for another version of Python?") from None
    except ValueError as error:
        raise usage(f"{path}: {error}") from None
    names = Names([], set(), any(_is_star(node) for node in ast.walk(tree)))
    _collect(tree.body, names)
    return names


def choose(names: Names, path: str) -> str:
    """The handler of a module when none was named: ``handle``, else the ASGI application ``app``. Raises Failure."""
    for name in (HANDLE, APP):
        if name in names.functions or name in names.others:
            return name
    if names.open:
        return HANDLE
    raise missing(names, HANDLE, path)


def missing(names: Names, handler: str, path: str) -> Failure:
    """The failure for a handler that its module does not have; names those it has."""
    public = [name for name in names.functions if not name.startswith("_")]
    if not public:
        return usage(f"{path} has no {handler!a} and defines no function", f"define one: def {HANDLE}(event): …")
    module = path.removesuffix(".py").replace("/", ".")
    return usage(
        f"{path} has no {handler!a}; it defines {', '.join(public)}", f"choose one with --handler {module}:{public[0]}"
    )


def _syntax(path: str, error: SyntaxError) -> str:
    where = f"{path}, line {error.lineno}" + (f", column {error.offset}" if error.offset else "")
    line = (error.text or "").strip()
    return f"{where}: {error.msg}" + (f": {line[:80]}" if line else "")


def _is_star(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)


def _collect(body: list[ast.stmt], names: Names) -> None:
    """Adds the names bound by ``body``, also below ``if``, ``try``, ``with`` and loops."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.functions.append(node.name)
        elif isinstance(node, ast.ClassDef):
            names.others.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names.others.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        else:
            names.others.update(_stored(node))
            for part in ("body", "orelse", "finalbody"):
                _collect(getattr(node, part, []), names)
            for handler in getattr(node, "handlers", []):
                _collect(handler.body, names)


def _stored(node: ast.stmt) -> set[str]:
    """The names that a statement itself assigns, without those of the statements in it."""
    heads = [part for part in ast.iter_child_nodes(node) if not isinstance(part, ast.stmt | ast.excepthandler)]
    names = (name for head in heads for name in ast.walk(head) if isinstance(name, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}
