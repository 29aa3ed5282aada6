"""Options that several verbs have, and how a function is named on the command line."""

from typing import Annotated

import typer

from cli.output import Failure, usage
from services.contracts.names import FunctionRef, InvalidName, check_label

Dir = Annotated[
    str | None, typer.Option("--dir", metavar="DIR", help="Directory of the platform (FAAS_DIR, else ~/.faas).")
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace.")]


def function_ref(text: str, namespace: str) -> FunctionRef:
    """The function named by ``NAMESPACE/NAME``, or by ``NAME`` in ``namespace``. Raises Failure (usage)."""
    before, slash, name = text.partition("/")
    try:
        if slash:
            return FunctionRef(check_label(before, "namespace"), check_label(name, "name"))
        return FunctionRef(check_label(namespace, "namespace"), check_label(text, "name"))
    except InvalidName as error:
        raise usage(str(error), "a function is named NAMESPACE/NAME, or NAME with -n NAMESPACE") from None


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
