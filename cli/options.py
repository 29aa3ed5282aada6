"""Options that several verbs have, and how a function is named on the command line."""

from typing import Annotated

import typer

from cli.output import Failure, usage
from services.contracts.names import FunctionRef, InvalidName, check_label

Dir = Annotated[
    str | None, typer.Option("--dir", metavar="DIR", help="Directory of the platform (FAAS_DIR, else ~/.faas).")
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace.")]


def function_ref(text: str, namespace: str, what: str = "function") -> FunctionRef:
    """The function (or ``what``) named ``NAMESPACE/NAME``, or ``NAME`` in ``namespace``. Raises Failure (usage)."""
    before, slash, name = text.partition("/")
    try:
        if slash:
            return FunctionRef(check_label(before, "namespace"), check_label(name, "name"))
        return FunctionRef(check_label(namespace, "namespace"), check_label(text, "name"))
    except InvalidName as error:
        raise usage(str(error), f"a {what} is named NAMESPACE/NAME, or NAME with -n NAMESPACE") from None


def checked_namespace(text: str) -> str:
    """``text`` when it may name a namespace. Raises Failure (usage)."""
    try:
        return check_label(text, "namespace")
    except InvalidName as error:
        raise usage(str(error)) from None


def seconds(option: str, text: str) -> float:
    """Seconds of ``text``: a duration such as ``30s`` or ``1m30s``, or a plain number. Raises Failure (usage)."""
    from services.contracts.durations import InvalidDuration, parse_duration

    try:
        return parse_duration(text if text[-1:].isalpha() else f"{text}s")
    except InvalidDuration:
        raise bad_duration(option, text) from None


def bad_duration(option: str, text: str) -> Failure:
    """The failure for text that is no duration."""
    return usage(f"{option}: {text[:40]!a} is not a duration: write for example 500ms, 30s, 1m30s or 2h")


def bare_wait(args: list[str], takes_next: bool = False) -> list[str]:
    """Arguments in which ``--wait`` may stand without a value, and negative numbers are parameters.

    With ``takes_next``, a duration behind ``--wait`` is its value.
    """
    end = args.index("--") if "--" in args else len(args)
    head: list[str] = []
    for argument in args[:end]:
        if takes_next and head[-1:] == ["--wait="] and argument[:1].isdigit() and argument[-1:] in "0123456789smh":
            head[-1] += argument
        else:
            head.append("--wait=" if argument == "--wait" else argument)
    negative = [text for i, text in enumerate(head) if i and text[:1] == "-" and text[1:2].isdigit()]
    rest = args[end + 1 :]
    positional = ["--", *negative, *rest] if negative or end < len(args) else []
    return [*(text for i, text in enumerate(head) if not i or text not in negative), *positional]


def parameters_of(text: str, other: str = "") -> bytes:
    """JSON from an argument, ``-`` meaning standard input. Raises Failure (usage) saying where it is wrong; ``other``
    is a hint at what else may be sent."""
    import os
    import sys

    body = sys.stdin.buffer.read() if text == "-" else os.fsencode(text)
    check_json(body, other)
    return body


def check_json(body: bytes, other: str = "") -> None:
    """Refuses what is no JSON, saying where. Raises Failure (usage)."""
    import msgspec

    try:
        msgspec.json.decode(body)
    except RecursionError:
        raise usage("the parameters are not valid JSON: they are nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        from cli.jsonerrors import locate

        hint = other if body and other else "" if body else "for no parameters write null or {}"
        raise usage(f"the parameters are not valid JSON: {locate(body, str(error))}", hint) from None
