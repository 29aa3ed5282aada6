"""Channels of AsyncAPI 2.x and operations of AsyncAPI 3.x: which server, which subject. Pure."""

import re
from typing import Any
from urllib.parse import urlsplit

import msgspec

from services.contracts.workflow.calls import AsyncApiArguments
from services.workflow.calls.documents import Document, follow, listed, objects
from services.workflow.calls.problems import configuration
from services.workflow.calls.values import text_of

_VARIABLE = re.compile(r"\{([^{}]*)\}")
_SUBJECT = re.compile(r"[\x21-\x7e]{1,1024}")
PROTOCOLS = ("nats", "nats-secure", "tls")


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """Where to publish or to subscribe. ``correlation``: the place of a message's correlation id, as the document
    says: ``header`` or ``payload`` and the names to go down by."""

    host: str
    port: int
    tls: bool
    subject: str
    correlation: tuple[str, tuple[str, ...]] | None = None


def channel_of(document: Document, arguments: AsyncApiArguments) -> Channel:
    """The server and subject of a call. Raises CallError."""
    root, place = document.value, document.place
    version = str(root.get("asyncapi", ""))
    publishes = arguments.message is not None
    if version.startswith("2."):
        if arguments.channel is None:
            raise configuration(f"{place}: AsyncAPI {version} has channels: expected channel, not operation")
        found = _named(root.get("channels"), arguments.channel, "channel", place)
        item = objects(follow(root, found, place))
        action = item.get("publish" if publishes else "subscribe")
        if not isinstance(action, dict):
            raise configuration(f"{place}: {arguments.channel} has no {'publish' if publishes else 'subscribe'}")
        address, wanted, message = arguments.channel, item.get("servers"), action.get("message")
    elif version.startswith("3."):
        if arguments.operation is None:
            raise configuration(f"{place}: AsyncAPI {version} has operations: expected operation, not channel")
        found = _named(root.get("operations"), arguments.operation, "operation", place)
        operation = objects(follow(root, found, place))
        item = objects(follow(root, operation.get("channel"), place))
        if not isinstance(item.get("address"), str):
            raise configuration(f"{place}: the channel of {arguments.operation} has no address")
        address = item["address"]
        wanted = [str(objects(each).get("$ref", "")).rpartition("/")[2] for each in listed(item.get("servers"))]
        message = next(iter(objects(item.get("messages")).values()), None)
    else:
        raise configuration(f"{place}: expected AsyncAPI 2.x or 3.x")
    host, port, tls = _server(document, arguments, listed(wanted))
    return Channel(
        host=host, port=port, tls=tls,
        subject=_subject(address, item, root, place), correlation=_correlation(root, message, place),
    )  # fmt: skip


def _named(group: Any, name: str, what: str, place: str) -> Any:
    found = objects(group)
    if name not in found:
        raise configuration(f"{place}: no {what} {name}; there are: {', '.join(list(found)[:20]) or 'none'}")
    return found[name]


def _server(document: Document, arguments: AsyncApiArguments, wanted: list[Any]) -> tuple[str, int, bool]:
    root, place = document.value, document.place
    servers = objects(root.get("servers"))
    chosen = arguments.server
    if chosen is not None:
        names = [chosen.name]
        _named(servers, chosen.name, "server", place)
    else:
        names = [name for name in servers if not wanted or name in wanted]
    protocols = []
    for name in names:
        server = objects(follow(root, servers[name], place))
        protocol = str(server.get("protocol", ""))
        protocols.append(protocol)
        if protocol in PROTOCOLS:
            given = objects(chosen.variables) if chosen is not None else {}
            return _address(server, protocol, given, f"{place}: server {name}")
    spoken = ", ".join(sorted(set(protocols))) or "none"
    raise configuration(f"{place}: no server with the protocol nats, the one that is supported; found {spoken}")


def _address(server: dict[str, Any], protocol: str, given: dict[str, Any], place: str) -> tuple[str, int, bool]:
    variables = objects(server.get("variables"))

    def value(found: re.Match[str]) -> str:
        name = found[1]
        made = given.get(name, objects(variables.get(name)).get("default"))
        allowed = objects(variables.get(name)).get("enum")
        if made is None or (isinstance(allowed, list) and made not in allowed):
            raise configuration(f"{place}: its variable {name} has no value that it allows")
        return text_of(made, f"server.variables: {name}")

    text = _VARIABLE.sub(value, str(server.get("host") or server.get("url") or ""))
    try:
        parts = urlsplit(text if "://" in text else f"nats://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.username is not None:
        raise configuration(f"{place}: expected a host, perhaps with a port; users go into authentication")
    return host, port or 4222, protocol != "nats" or parts.scheme == "tls"


def _subject(address: str, item: dict[str, Any], root: dict[str, Any], place: str) -> str:
    """The address with its parameters by their defaults: the language has no place to give them."""
    parameters = objects(item.get("parameters"))

    def value(found: re.Match[str]) -> str:
        parameter = objects(follow(root, parameters.get(found[1]), place))
        default = parameter.get("default", objects(parameter.get("schema")).get("default"))
        if not isinstance(default, str):
            raise configuration(f"{place}: the parameter {found[1]} of {address} has no default")
        return default

    subject = _VARIABLE.sub(value, address)
    if not _SUBJECT.fullmatch(subject) or "" in subject.split("."):
        raise configuration(f"{place}: {subject[:200]!r} is no NATS subject")
    return subject


def _correlation(root: dict[str, Any], message: Any, place: str) -> tuple[str, tuple[str, ...]] | None:
    found = objects(follow(root, message, place))
    location = str(objects(follow(root, found.get("correlationId"), place)).get("location", ""))
    where, hash_, pointer = location.partition("#/")
    if where not in ("$message.header", "$message.payload") or not hash_:
        return None
    names = tuple(name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/"))
    return where.rpartition(".")[2], names
