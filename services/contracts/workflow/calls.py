"""The calls: Functions, HTTP, OpenAPI, AsyncAPI; and their arguments."""

from typing import Annotated, Literal

from services.contracts.workflow.auth import EndpointField, ExternalResource, PolicyOrReference
from services.contracts.workflow.data import (
    Input,
)
from services.contracts.workflow.expressions import Expression, Template, Text
from services.contracts.workflow.node import Node, Part
from services.contracts.workflow.read import either, read_map, read_string, with_secrets
from services.contracts.workflow.task import Foreach, Task
from services.contracts.workflow.values import (
    Duration,
    EnclosedExpression,
    ObjectValue,
    TextField,
    Value,
    read_enclosed,
    read_scalar,
    read_template,
)


def _read_headers(node: Node) -> dict[str, Text]:
    """The schema wants strings, the text of the specification any map; a number is what people write."""
    return read_map(node, read_scalar)


def _read_query(node: Node) -> dict[str, Template]:
    """The schema wants strings, the text of the specification anything; a number is what people write."""
    return read_map(node, read_template)


HttpOutput = Literal["raw", "content", "response"]


class HttpArguments(Part, frozen=True, kw_only=True):
    """One HTTP request. ``redirect``: a 3xx answer is no error."""

    method: TextField
    endpoint: EndpointField
    headers: Annotated[
        dict[str, Text] | Expression | None,
        either("an object of strings, or an expression in ${ }", object=_read_headers, string=read_enclosed),
    ] = None
    body: Value | None = None
    query: Annotated[
        dict[str, Template] | Expression | None,
        either("an object, or an expression in ${ }", object=_read_query, string=read_enclosed),
    ] = None
    output: HttpOutput = "content"
    redirect: bool = False


class OpenApiArguments(Part, frozen=True, kw_only=True):
    """One operation of an OpenAPI document."""

    document: ExternalResource
    operation_id: TextField
    parameters: ObjectValue | None = None
    authentication: PolicyOrReference | None = None
    output: HttpOutput = "content"
    redirect: bool = False


class Consume(Part, frozen=True, kw_only=True):
    """How much a subscription consumes; ``for`` bounds the time in seconds."""

    exactly_one = (("amount", "while", "until"),)

    amount: int | None = None
    while_: EnclosedExpression | None = None
    until: EnclosedExpression | None = None
    for_: Duration | None = None


class Subscription(Part, frozen=True, kw_only=True):
    """Messages to consume from a channel."""

    consume: Consume
    filter: EnclosedExpression | None = None
    foreach: Annotated[Foreach | None, with_secrets(Foreach, allowed=False)] = None


class Message(Part, frozen=True, kw_only=True):
    """A message to publish."""

    payload: ObjectValue | None = None
    headers: ObjectValue | None = None


class AsyncApiServer(Part, frozen=True, kw_only=True):
    """A server of an AsyncAPI document, by name."""

    name: str
    variables: ObjectValue | None = None


_PROTOCOLS = (
    "amqp, amqp1, anypointmq, googlepubsub, http, ibmmq, jms, kafka, mercure, mqtt, mqtt5, nats, pulsar, redis, sns, "
    "solace, sqs, stomp, ws"
)


def _read_protocol(node: Node) -> Literal["nats"]:
    if read_string(node) not in _PROTOCOLS.split(", "):
        node.refuse(f"one of {_PROTOCOLS}")
    if node.value != "nats":
        node.refuse("nats", hint="this platform's bus is NATS", kind="unsupported")
    return "nats"


class AsyncApiArguments(Part, frozen=True, kw_only=True):
    """One operation (AsyncAPI 3) or channel (AsyncAPI 2) to publish to or to subscribe to."""

    exactly_one = (("operation", "channel"), ("message", "subscription"))

    document: ExternalResource
    operation: str | None = None
    channel: str | None = None
    server: AsyncApiServer | None = None
    protocol: Annotated[Literal["nats"] | None, _read_protocol] = None
    message: Message | None = None
    subscription: Subscription | None = None
    authentication: PolicyOrReference | None = None


class Call(Task, frozen=True, kw_only=True):
    """Base of the calls; ``call`` is what the document says. Only their arguments may be made with ``$secrets``."""

    call: str
    input: Annotated[Input | None, with_secrets(Input)] = None


class CallHttp(Call, frozen=True, kw_only=True):
    """``call: http``."""

    with_: Annotated[HttpArguments, with_secrets(HttpArguments)]


class CallOpenApi(Call, frozen=True, kw_only=True):
    """``call: openapi``."""

    with_: Annotated[OpenApiArguments, with_secrets(OpenApiArguments)]


class CallAsyncApi(Call, frozen=True, kw_only=True):
    """``call: asyncapi``."""

    with_: Annotated[AsyncApiArguments, with_secrets(AsyncApiArguments)]


class CallFunction(Call, frozen=True, kw_only=True):
    """A function of ``use.functions`` or, when none has that name, of the platform: ``Definition.function`` resolves.
    ``with`` absent: the body is the task's input."""

    with_: Annotated[Template | None, with_secrets(ObjectValue)] = None
