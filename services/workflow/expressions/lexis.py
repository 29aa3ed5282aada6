"""What a jq program names: the variables it uses, and builtins that no workflow may use."""

import re
from collections.abc import Iterator
from functools import lru_cache

FORBIDDEN = frozenset(
    {"env", "input", "inputs", "debug", "stderr", "input_filename", "input_line_number", "halt", "halt_error"}
    | {"modulemeta", "get_search_list", "import", "include"}
)
"""They read the process's environment or files, write to its output, or end it."""
_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
    | (?P<variable>\$\s*(?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)
    | (?P<field>\.[A-Za-z_]\w*)
    | (?P<word>(?:[A-Za-z_]\w*::)*[A-Za-z_]\w*)
    | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<other>.)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
_OPENING, _CLOSING = "([{", {")": "(", "]": "[", "}": "{"}


class Refused(ValueError):
    """A program that names a forbidden builtin, or whose brackets do not match."""


def tokens(text: str) -> Iterator[tuple[str, str, str]]:
    """Each token outside of strings: its kind, its text, and the bracket that it stands in ("" for none).

    A string is one token ``string``, followed by the tokens of the programs inside it. Raises Refused.
    """
    stack: list[str] = []
    index = 0
    while index < len(text):
        inside = stack[-1] if stack else ""
        if inside == '"' or text[index] == '"':
            if inside != '"':
                yield "string", '"', inside
                stack.append('"')
                index += 1
            index = _skip_string(text, index, stack)
            continue
        found = _TOKEN.match(text, index)
        assert found is not None
        kind, token = str(found.lastgroup), found.group()
        if token in _OPENING:
            stack.append(token)
        elif token in _CLOSING and (not stack or stack.pop() != _CLOSING[token]):
            raise Refused(f"the program closes with {token} what it did not open")
        if kind != "blank":
            yield kind, token, inside
        index = found.end()
    if stack:
        raise Refused(f"the program does not close its {stack[-1]}")


def _skip_string(text: str, index: int, stack: list[str]) -> int:
    """Where the tokens go on: after the string's end, or after ``\\(`` inside it; ``stack`` says which."""
    while index < len(text):
        if text[index] == "\\":
            if text[index + 1 : index + 2] == "(":
                stack.append("(")
                return index + 2
            index += 2
            continue
        if text[index] == '"':
            stack.pop()
            return index + 1
        index += 1
    return index


@lru_cache(maxsize=4096)
def variables(text: str) -> frozenset[str]:
    """The names of the variables in a program, without dollar sign. Raises Refused for a forbidden name."""
    names = set()
    before = ""
    for kind, token, inside in tokens(text):
        name = token.lstrip("$ \t\r\n")
        if kind == "variable":
            if name in ("ENV", "__prog_args") or name.startswith("__faas"):
                raise Refused(f"${name} is not available in a workflow")
            names.add(name)
        elif kind == "word" and token in FORBIDDEN and not (inside == "{" and before in ("{", ",")):
            raise Refused(f"{token} is not available in a workflow")
        before = token
    return frozenset(names)
