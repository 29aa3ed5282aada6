"""The call ``asyncapi`` over NATS: publishing one message, or giving the messages of a subject as they come."""

import base64
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import msgspec

from services.contracts.workflow.auth import BasicAuthentication, BearerAuthentication
from services.contracts.workflow.calls import AsyncApiArguments
from services.workflow.calls.channels import Channel, channel_of
from services.workflow.calls.documents import Documents, objects
from services.workflow.calls.limits import Limits
from services.workflow.calls.natsline import Inbound, line
from services.workflow.calls.network import Network
from services.workflow.calls.policies import Policy, resolved
from services.workflow.calls.problems import configuration
from services.workflow.calls.values import text_of

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class AsyncApi:
    """Calls by AsyncAPI documents."""

    def __init__(self, network: Network, documents: Documents, limits: Limits) -> None:
        self._network, self._documents, self._limits = network, documents, limits

    async def publish(self, arguments: AsyncApiArguments, secrets: Mapping[str, Any], key: str) -> None:
        """Publishes the call's message; the server has it when this returns. Raises CallError."""
        assert arguments.message is not None
        channel, login = await self._prepared(arguments, secrets)
        if any(mark in channel.subject.split(".") for mark in ("*", ">")):
            raise configuration("a message can't be published to a subject with wildcards")
        payload, given = arguments.message.payload, arguments.message.headers
        body = b"" if payload is None else msgspec.json.encode(payload)
        headers = {"Nats-Msg-Id": key} | headers_of(given)  # by which a stream drops a message that is published again
        async with line(self._network, channel, login, self._limits.connect, self._limits.max_request) as opened:
            await opened.publish(channel.subject, headers, body)

    async def messages(
        self, arguments: AsyncApiArguments, secrets: Mapping[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The messages of a subscription, as the language has them. Raises CallError."""
        channel, login = await self._prepared(arguments, secrets)
        async with line(self._network, channel, login, self._limits.connect, self._limits.max_answer) as opened:
            async for message in opened.subscribe(channel.subject):
                yield message_of(message, channel)

    async def _prepared(
        self, arguments: AsyncApiArguments, secrets: Mapping[str, Any]
    ) -> tuple[Channel, dict[str, str]]:
        login = login_of(resolved(arguments.authentication, secrets))
        document = await self._documents.get(arguments.document, secrets)
        return channel_of(document, arguments), login


def login_of(policy: Policy | None) -> dict[str, str]:
    """The fields of CONNECT. Raises CallError for a policy that NATS has no place for."""
    if policy is None:
        return {}
    if isinstance(policy, BasicAuthentication):
        return {"user": str(policy.username), "pass": str(policy.password)}
    if isinstance(policy, BearerAuthentication):
        return {"auth_token": str(policy.token)}
    raise configuration("authentication: NATS takes basic (user and password) or bearer (token)")


def headers_of(value: Any) -> dict[str, str]:
    """Headers of a message. Raises CallError for such as NATS can't carry, or would act on."""
    if value is not None and not isinstance(value, dict):
        raise configuration("message.headers: expected an object")
    made = {}
    for name, given in (value or {}).items():
        text = text_of(given, f"message.headers: {name}")
        if not _NAME.fullmatch(name) or _CONTROL.search(text):
            raise configuration("message.headers: a name or a value with characters that no header has")
        if name.lower().startswith("nats-"):
            raise configuration(f"message.headers: {name} is for NATS itself")
        made[name] = text.strip()
    return made


def message_of(inbound: Inbound, channel: Channel) -> dict[str, Any]:
    """A message as the language has it: ``payload``, ``headers``, ``correlationId`` when the document says where."""
    made: dict[str, Any] = {"payload": _payload(inbound.body), "headers": dict(inbound.headers)}
    if channel.correlation is not None:
        where, names = channel.correlation
        value = made["headers"] if where == "header" else made["payload"]
        for name in names:
            value = objects(value).get(name)
        if value is not None:
            made["correlationId"] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return made


def _payload(body: bytes) -> Any:
    """JSON as its value, else text, else base64; None when there is none."""
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()
