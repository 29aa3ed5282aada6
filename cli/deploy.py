"""``faas deploy``: brings a file, a folder or manifests onto the platform and waits until they can be called."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import typer

from cli import manifest, target
from cli.client import Answer, Gateway, Refused
from cli.functions import item
from cli.options import Dir, seconds
from cli.output import document, note, say
from cli.packing import platforms, source
from cli.packing.platforms import Platform
from cli.plan import Planned, Wishes, plan
from cli.rollout import Say, until_ready
from cli.upload import archived
from cli.workflow import rollout as workflows
from services.contracts.errors import Code
from services.contracts.names import FunctionRef

Text = str | None
Number = int | None


class Manner(NamedTuple):
    """How to deploy, whatever it is."""

    platform: Platform
    upgrade: bool
    wait: float | None
    """Seconds; None: not at all."""
    output: str


def deploy(
    path: Annotated[
        Path | None,
        typer.Argument(metavar="FILE|DIR|MANIFEST", help="What to deploy ('-': manifests from standard input)."),
    ] = None,
    name: Annotated[Text, typer.Option(metavar="NAME", help="The function's name (the folder's or file's).")] = None,
    namespace: Annotated[Text, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace (default).")] = None,
    handler: Annotated[Text, typer.Option(metavar="MODULE:NAME", help="main:handle, else main:app.")] = None,
    minimum: Annotated[Number, typer.Option("--min", min=0, max=1000, help="Pods at least (0).")] = None,
    maximum: Annotated[Number, typer.Option("--max", min=1, max=1000, help="Pods at most (10).")] = None,
    load: Annotated[
        Number, typer.Option("--target", min=1, max=100, help="Percent of concurrency to use (70).")
    ] = None,
    to_zero: Annotated[Text, typer.Option("--scale-to-zero-after", metavar="DURATION", help="Idle time (60s).")] = None,
    window: Annotated[Text, typer.Option(metavar="DURATION", help="What scaling looks back on (60s).")] = None,
    timeout: Annotated[Text, typer.Option(metavar="DURATION", help="How long a call may take (60s).")] = None,
    concurrency: Annotated[Number, typer.Option(min=1, max=1000, help="Calls at once in a Pod (10).")] = None,
    cold_start: Annotated[
        Literal["Return", "Wait"] | None,
        typer.Option(case_sensitive=False, help="While nothing runs: answer at once (Return), or wait for a Pod."),
    ] = None,
    idempotent: Annotated[
        bool | None, typer.Option("--idempotent/--not-idempotent", help="May a call run twice? (no)")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", metavar="KEY=VALUE", help="Variable; may be repeated.")
    ] = None,
    image: Annotated[Text, typer.Option(metavar="IMAGE", help="A container image, in place of source.")] = None,
    memory: Annotated[Text, typer.Option(metavar="QUANTITY", help="Limit of a Pod, such as 256Mi.")] = None,
    cpu: Annotated[Text, typer.Option(metavar="QUANTITY", help="Limit of a Pod, such as 500m.")] = None,
    python: Annotated[Text, typer.Option(metavar="X.Y", help="Requirements for another Python than this.")] = None,
    arch: Annotated[Text, typer.Option(metavar="ARCH", help="… for x86_64 or aarch64.")] = None,
    libc: Annotated[Text, typer.Option(metavar="LIBC", help="… for glibc or musl.")] = None,
    upgrade: Annotated[bool, typer.Option("--upgrade", help="Look for newer versions of requirements.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return once the platform has it.")] = False,
    wait_timeout: Annotated[str, typer.Option(metavar="DURATION", help="Wait at most so long.")] = "120s",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the manifests and send nothing.")] = False,
    output: Annotated[
        Literal["text", "yaml", "json"], typer.Option("--output", "-o", help="Form of the output.")
    ] = "text",
    directory: Dir = None,
) -> None:
    """Deploy a .py file, a folder with main.py, manifests, or a workflow, and wait until they can be called."""
    for option, text in (("--timeout", timeout), ("--window", window), ("--scale-to-zero-after", to_zero)):
        if text is not None:
            seconds(option, text)
    settings = {
        "handler": handler, "image": image, "timeout": timeout, "concurrency": concurrency, "coldStart": cold_start,
        "idempotent": idempotent, "scale.min": minimum, "scale.max": maximum, "scale.target": load,
        "scale.window": window, "scale.scaleToZeroAfter": to_zero,
        "resources.limits.memory": memory, "resources.limits.cpu": cpu,
    }  # fmt: skip
    platform = platforms.chosen(python, arch, libc)
    manner = Manner(platform, upgrade, None if no_wait else seconds("--wait-timeout", wait_timeout), output)
    planned = plan(path, Wishes(name, namespace, settings, manifest.variables(env or [])))
    if dry_run:
        for step in planned:
            _pack(step, manner, None)
        _print([step.manifest for step in planned], "yaml" if output == "text" else output)
        return
    with Gateway(target.find(directory)) as gateway:
        deployed = [_deploy(gateway, step, manner) for step in planned]
    if output != "text":
        _print(deployed, output)


def _deploy(gateway: Gateway, step: Planned, manner: Manner) -> dict[str, Any]:
    """Packs, sends and waits. Returns the function as the platform has it."""
    began = time.monotonic()
    tell = say if manner.output == "text" else note
    if step.workflow:
        return _deploy_workflow(gateway, step, manner, tell)
    _pack(step, manner, gateway)
    answer = _put(gateway, step)
    function: dict[str, Any] = msgspec.json.decode(answer.body)
    tell(f"deployed {step.ref}" + (" (created)" if answer.status == 201 else ""))
    if manner.wait is None:
        return function
    function = until_ready(gateway, step.ref, function["metadata"].get("generation", 0), manner.wait, tell)
    tell(f"{step.ref} is ready after {time.monotonic() - began:.2f} s; call it:")
    for line in _how_to_call(step.ref, function["spec"], gateway.target.address):
        tell(f"  {line}")
    return function


def _deploy_workflow(gateway: Gateway, step: Planned, manner: Manner, tell: Say) -> dict[str, Any]:
    """Sends and waits. Returns the workflow as the platform has it."""
    answer = _put(gateway, step)
    workflow: dict[str, Any] = msgspec.json.decode(answer.body)
    tell(f"deployed workflow {step.ref}" + (" (created)" if answer.status == 201 else ""))
    if manner.wait is None:
        return workflow
    generation = workflow["metadata"].get("generation", 0)
    workflow = workflows.until_accepted(gateway, step.ref, generation, manner.wait, tell)
    run = workflow["status"].get("run")
    if run and "input" in workflow["spec"]:
        tell(f"its run: faas workflow get {step.ref.namespace}/{run}")
    tell("run it:")
    tell(f"  faas workflow run {step.ref} '{{}}' --wait")
    tell(f"  curl -X POST {gateway.target.address}{workflows.item(step.ref)}/runs -d '{{}}'")
    return workflow


def _put(gateway: Gateway, step: Planned) -> Answer:
    headers = {"Content-Type": "application/json"}
    path = workflows.item(step.ref) if step.workflow else item(step.ref)
    try:
        return gateway.ask("PUT", path, msgspec.json.encode(step.manifest), headers)
    except Refused as refused:
        if refused.code == Code.NOT_FOUND:  # what is not there is created: its namespace is missing
            refused.hint = f"kubectl create namespace {step.ref.namespace}"
        raise


def _pack(step: Planned, manner: Manner, gateway: Gateway | None) -> None:
    """Puts the packed source into the manifest; uploads its archive, when it has one and there is a gateway."""
    if step.source is None:
        return
    if step.source.requirements is not None:
        note(f"requirements of {step.source.requirements.origin} for {manner.platform}")
    packed = source.pack(step.source, manner.platform, manner.upgrade)
    if packed.inline is not None:
        step.manifest["spec"]["source"] = {"inline": packed.inline}
        return
    digest = archived(packed, step.ref, gateway)
    step.manifest["spec"]["source"] = {"archive": digest}


def _how_to_call(ref: FunctionRef, spec: dict[str, Any], address: str) -> list[str]:
    if spec.get("handler", "").endswith(":app"):
        return [f"curl {address}{item(ref)}/proxy/"]
    return [f"faas execute {ref} '{{}}'", f"curl -X POST {address}/{ref.namespace}/{ref.name} -d '{{}}'"]


def _print(functions: list[dict[str, Any]], form: str) -> None:
    if form == "json":
        document(functions[0] if len(functions) == 1 else functions, form)
        return
    for number, function in enumerate(functions):
        if number:
            sys.stdout.write("---\n")
        document(function, form)
