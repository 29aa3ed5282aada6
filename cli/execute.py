"""``faas execute``: calls a function and prints its result. Installed as ``kubectl-execute`` too."""

import math
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand

from cli import target
from cli.app import application, run
from cli.client import Answer, Gateway
from cli.options import Dir, bare_wait, check_json, seconds
from cli.output import clean, note, say, usage
from services.contracts import headers
from services.contracts.errors import Code, Exit
from services.contracts.names import FunctionRef, InvalidName, parse_ref
from services.contracts.resources import MAX_TIMEOUT

USAGE = "Use like: faas execute [namespace]/[name] [parameters]"
GRACE = 3.0
"""Seconds that the platform gets beyond the call's own time to answer that it is over."""


class _Arguments(TyperCommand):
    """Lets ``--wait`` stand without a value, and negative numbers be parameters."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the arguments after giving a bare ``--wait`` an empty value."""
        return super().parse_args(ctx, bare_wait(args))


class Call(NamedTuple):
    """One call, checked: nothing of it can be refused before it reaches the platform."""

    ref: FunctionRef
    body: bytes
    headers: Mapping[str, str]
    limit: float
    """Seconds after which no answer can come any more."""


app = application()


@app.command(cls=_Arguments)
def execute(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAMESPACE/NAME JSON", help="The function, and its parameters ('-': from standard input)."
        ),
    ] = None,
    wait: Annotated[
        str | None,
        typer.Option(
            metavar="[=SECONDS]", help="Wait for the function to start, at most so long; plain --wait: until it does."
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Give up after this time, such as 30s (default: the function's own)."),
    ] = None,
    content_type: Annotated[
        str | None,
        typer.Option("--content-type", "-t", metavar="TYPE", help="Send the parameters as they are, as this type."),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", "-r", help="Print the result's bytes and nothing else.")] = False,
    directory: Dir = None,
) -> int:
    """Call a function and print its result.

    Exit codes: 0 success, 1 the function failed, 2 usage, 3 no such function, 4 not available now, 5 timed out.
    """
    if len(arguments or []) < 2:
        note("missing some parameters")
        note(USAGE)
        return Exit.USAGE
    name, parameters, *more = arguments or []
    if more:
        raise usage(f"too many parameters: {' '.join(more)[:60]!a}", "quote the JSON, as in '{\"x\": 3}'")
    try:
        ref = parse_ref(name)
    except InvalidName as error:
        raise usage(f"{error}\n{USAGE}") from None
    call = _prepared(ref, parameters, wait, timeout, content_type)
    with Gateway(target.find(directory)) as gateway:
        answer = gateway.send("POST", f"/{ref.namespace}/{ref.name}", call.body, call.headers, call.limit)
    return _print(call.ref, answer, raw, waited=wait is not None)


def plugin() -> int:
    """``kubectl execute …``: kubectl runs ``kubectl-execute`` with what follows. Returns the exit code."""
    return run(["execute", *sys.argv[1:]])


def _prepared(
    ref: FunctionRef, parameters: str, wait: str | None, timeout: str | None, content_type: str | None
) -> Call:
    sent = {headers.CONTENT_TYPE: content_type or "application/json"}
    if not sent[headers.CONTENT_TYPE].isascii() or not sent[headers.CONTENT_TYPE].isprintable():
        raise usage("--content-type has a character that may not stand in a header")
    limit = MAX_TIMEOUT
    if timeout is not None:
        limit = seconds("--timeout", timeout)
        if not 0 < limit <= MAX_TIMEOUT:
            raise usage(f"--timeout: {timeout} is out of range (1ms to {MAX_TIMEOUT:g}s)")
        sent[headers.TIMEOUT_MS] = str(max(1, round(limit * 1000)))
    if wait is not None:
        start = seconds("--wait", wait) if wait else None
        if start is not None and start > MAX_TIMEOUT:
            raise usage(f"--wait: {wait} is out of range (0 to {MAX_TIMEOUT:g}s)")
        sent["Prefer"] = "wait" if start is None else f"wait={math.ceil(start)}"
        if timeout is None:
            limit += start or MAX_TIMEOUT
    body = sys.stdin.buffer.read() if parameters == "-" else os.fsencode(parameters)
    if content_type is None:
        check_json(body, "send something else than JSON with --content-type")
    return Call(ref, body, sent, limit + GRACE)


def _print(ref: FunctionRef, answer: Answer, raw: bool, waited: bool) -> int:
    """Prints the outcome in one line: on standard output, or with ``raw``, which keeps that for results, on error."""
    if answer.status < 400:
        _print_result(answer, raw)
        return Exit.OK
    tell = note if raw else say
    error = answer.error()
    if error.code == Code.FUNCTION_STARTING:
        tell(f"function {ref} is starting, try again in {answer.headers.get(headers.RETRY_AFTER, '1')} s")
        note("hint: --wait=30 starts it and waits for the result" if not waited else "hint: wait longer, or try again")
        return Exit.UNAVAILABLE
    message = f"{error.code}: {error.message}" if error.code else error.message
    tell(f"execute function failed, code: {answer.status} msg: {message}")
    if answer.hint():
        note(f"hint: {answer.hint()}")
    return answer.exit_code()


def _print_result(answer: Answer, raw: bool) -> None:
    out = sys.stdout.buffer
    if raw:
        out.write(answer.body)
    elif (text := _text(answer)) is not None:
        out.write(f"execute function success, result: {text}\n".encode())
    else:
        kind = answer.headers.get(headers.CONTENT_TYPE, "application/octet-stream")
        out.write(f"execute function success, result: {len(answer.body)} bytes of {clean(kind)}\n".encode())
        out.flush()
        note("hint: --raw > FILE keeps them")
    out.flush()


def _text(answer: Answer) -> str | None:
    """The result as text without its last line end; None when it is none."""
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text.removesuffix("\n")
