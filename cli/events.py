"""``faas events``: the platform's events, a line each."""

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
import typer

from cli import target
from cli.client import Gateway
from cli.options import Dir, Namespace, checked_namespace, function_ref, seconds
from cli.output import say, usage

_FUNCTION = "dev.faas.function."
_WORKFLOW = "io.serverlessworkflow."


class _Event(msgspec.Struct):
    """``data`` of an event that a workflow emits is anything."""

    source: str = ""
    type: str = ""
    time: str = ""
    data: Any = None
    subject: str = ""


def events(
    namespace: Namespace = "default",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    span: Annotated[str, typer.Option("--for", metavar="DURATION", help="Without -f: for so long.")] = "10s",
    function: Annotated[
        str | None, typer.Option("--function", metavar="NAME", help="Those of one function alone.")
    ] = None,
    workflow: Annotated[
        str | None, typer.Option("--workflow", metavar="NAME", help="Those of one workflow's runs alone.")
    ] = None,
    output: Annotated[
        Literal["text", "json"], typer.Option("--output", "-o", help="text, or a CloudEvent a line.")
    ] = "text",
    directory: Dir = None,
) -> None:
    """Print calls, scaling and runs of workflows as they happen. Nothing is kept: what happened before is not shown."""
    limit = None if follow else seconds("--for", span)
    path = f"/api/v1/namespaces/{checked_namespace(namespace)}/events"
    if function is not None and workflow is not None:
        raise usage("--function and --workflow do not go together")
    for kind, name in (("function", function), ("workflow", workflow)):
        if name is not None:
            ref = function_ref(name, namespace, kind)
            path = f"/api/v1/namespaces/{ref.namespace}/events?{kind}={ref.name}"
    with Gateway(target.find(directory)) as gateway:
        for event in _documents(gateway.lines(path, follow, limit)):
            if output == "json":
                sys.stdout.buffer.write(event + b"\n")
                sys.stdout.buffer.flush()
            else:
                say(_line(msgspec.json.decode(event, type=_Event)))


def _documents(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The data of each event of a stream of server-sent events (HTML standard, section 9.2)."""
    data: list[bytes] = []
    for line in lines:
        line = line.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            yield b"\n".join(data)
            data.clear()


def _line(event: _Event) -> str:
    parts = event.source.split("/")
    name = f"{parts[2]}/{parts[4]}" if len(parts) == 5 else event.source
    if event.type.startswith(_WORKFLOW):
        verb = event.type.removeprefix(_WORKFLOW).removeprefix("workflow.").removesuffix(".v1").replace(".", " ")
        told = _of_run(event)
    elif event.type.startswith(_FUNCTION):
        verb = event.type.removeprefix(_FUNCTION)
        told = _told(verb, event.data or {})
    else:
        verb, told = event.type, msgspec.json.encode(event.data).decode()
    return f"{_clock(event.time)}  {name}  {verb:<9}  {told}".rstrip()


def _clock(text: str) -> str:
    """The time of day in an RFC 3339 moment, here."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone()
    except ValueError:
        return " " * 12
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _of_run(event: _Event) -> str:
    """What a lifecycle event says beside its verb: the task, the error, the run."""
    data = event.data if isinstance(event.data, dict) else {}
    error = data.get("error") or {}
    said = [data.get("task", ""), error.get("title", ""), error.get("detail", ""), event.subject]
    return "  ".join(str(text) for text in said if text)


def _told(verb: str, data: dict[str, Any]) -> str:
    """What an event says, in a few words; fields of an event that nobody here knows are shown as they are."""
    if verb == "received":
        return f"by {data.get('via')}  {data.get('id')}"
    if verb in ("completed", "failed"):
        code = f" {data['code']}" if data.get("code") else ""
        pod = f"  {data['pod']}" if data.get("pod") else ""
        return f"{data.get('status')}{code} in {data.get('durationMs', 0):.1f} ms{pod}  {data.get('id')}"
    if verb == "scaled":
        return f"{data.get('previous')} -> {data.get('replicas')}: {data.get('reason')}"
    return " ".join(f"{key}={value}" for key, value in data.items())
