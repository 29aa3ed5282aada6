"""Subjects on the bus. Every builder takes checked names only (see ``names``), so none can add a token or wildcard."""

from services.contracts.names import FunctionRef, check_label

INVOKE_ALL = "faas.invoke.*.*"
ROUTER_QUEUE = "router"
EVENTS_ALL = "faas.event.>"
RECEIVED_ALL = "faas.event.*.function.*.received"
LOAD = "faas.sys.load"
"""Load reports of the routers; every scaler listens."""
DESCRIBE_ALL = "faas.sys.describe.*.*"
_PROGRESS = "faas.sys.progress."


def invoke(ref: FunctionRef) -> str:
    """Where a call of ``ref`` goes: request-reply."""
    return f"faas.invoke.{ref.namespace}.{ref.name}"


def describe(ref: FunctionRef) -> str:
    """Where to ask for a Function's state: request-reply with a ``Description``."""
    return f"faas.sys.describe.{ref.namespace}.{ref.name}"


def event(namespace: str, kind: str, name: str, verb: str) -> str:
    """Where an event of the platform is published."""
    return f"faas.event.{namespace}.{kind}.{name}.{verb}"


def progress(gateway_id: str) -> str:
    """Where routers tell one gateway instance which of its calls are still alive."""
    return _PROGRESS + check_label(gateway_id, "gateway id")


def parse_ref(subject: str) -> FunctionRef:
    """The Function of an invoke or describe subject: its last two tokens, checked. Raises InvalidName."""
    _, namespace, name = subject.rsplit(".", 2)
    return FunctionRef(check_label(namespace, "namespace"), check_label(name, "name"))


WORKFLOW_QUEUE = "workflow"
RUN_ALL = "faas.run.*.*"
SEND_ALL = "faas.send.*"
CONTROL_ALL = "faas.sys.workflow.api.*.*.*"
ALIVE = "faas.sys.workflow.alive"
"""Signs of life of the workflow services."""


def run(ref: FunctionRef) -> str:
    """Where to ask for a run of the workflow ``ref``: request-reply, the body is its input as JSON."""
    return f"faas.run.{ref.namespace}.{ref.name}"


def send(namespace: str) -> str:
    """Where a CloudEvent for the workflows of a namespace goes: request-reply, answered when it is stored."""
    return f"faas.send.{check_label(namespace, 'namespace')}"


def control(verb: str, ref: FunctionRef) -> str:
    """Where to ask something of a run (``start``: of a workflow): request-reply, see ``runs`` for each verb's messages.

    ``verb`` is start, list, get, wait, trace, definition, history, cancel, pause, resume or retry.
    """
    return f"faas.sys.workflow.api.{verb}.{ref.namespace}.{ref.name}"


def instance(name: str) -> str:
    """Under this one workflow service is told what is for runs that it drives: ``….<verb>.<ns>.<id>``."""
    return f"faas.sys.workflow.instance.{check_label(name, 'instance')}"
