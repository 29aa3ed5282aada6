"""The trust model as nats-server's configuration: every service its own user, callers in accounts of their own.

Why it is so: in one shared account whoever may subscribe to ``_INBOX.>`` reads every reply. A tenant's account imports
what its callers may use and nothing else; nothing of JetStream crosses an account, since a foreign ``Nats-Msg-Id``
would make another's message a duplicate.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from services.contracts.headers import MAX_PAYLOAD

SERVICES = ("gateway", "router", "scaler", "workflow", "admin")
"""Users of the PLATFORM account; ``admin`` is the operator's."""

WORKFLOW_STREAMS = (
    "WORKFLOW", "WORKFLOW_RUNS_0", "WORKFLOW_RUNS_1", "WORKFLOW_RUNS_2", "WORKFLOW_RUNS_3",
    "WORKFLOW_BLOBS", "WORKFLOW_TIMERS", "WORKFLOW_EVENTS",
)  # fmt: skip
"""Streams of the workflow service, which alone may use them."""


def _jetstream(streams: Sequence[str]) -> list[str]:
    """What the user of some streams publishes to use them, and no other."""
    subjects = ["$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.FC.>"]
    for stream in streams:
        subjects += [
            f"$JS.API.*.*.{stream}",
            f"$JS.API.*.*.{stream}.>",
            f"$JS.API.STREAM.MSG.*.{stream}",
            f"$JS.API.CONSUMER.*.*.{stream}.>",
            f"$JS.ACK.{stream}.>",
        ]
    return subjects


# A router answers callers wherever their inbox is: `_R_.>` is how nats-server maps replies across accounts. Not
# `allow_responses`: it grants one reply for two minutes, and a reload that adds an account loses replies in flight.
_PERMISSIONS: dict[str, tuple[list[str], list[str]]] = {
    "gateway": (
        [
            "faas.invoke.*.*",
            "faas.sys.describe.*.*",
            "faas.event.>",
            "faas.sys.workflow.api.*.*.*",
            "faas.send.*",
            "faas.run.*.*",
            "$O.archives.>",
            *_jetstream(["OBJ_archives"]),
        ],
        ["_INBOX.gateway.>", "faas.sys.progress.*", "faas.event.>"],
    ),
    "router": (
        ["faas.event.>", "faas.sys.load", "faas.sys.progress.*", "_INBOX.>", "_R_.>"],
        ["_INBOX.router.>", "faas.invoke.*.*", "faas.invoke.*.* router", "faas.sys.describe.*.* router"],
    ),
    "scaler": (["faas.event.>"], ["_INBOX.scaler.>", "faas.event.*.function.*.received", "faas.sys.load"]),
    "workflow": (
        [
            "faas.invoke.*.*",
            "faas.event.>",
            "faas.sys.workflow.>",
            "_INBOX.>",
            "_R_.>",
            *_jetstream(WORKFLOW_STREAMS),
        ],
        ["_INBOX.workflow.>", "faas.run.*.*", "faas.send.*", "faas.sys.workflow.>", "faas.sys.progress.*"],
    ),
    "admin": ([">"], [">"]),
}
_REQUESTS = ("faas.invoke.*.*", "faas.run.*.*", "faas.send.*")
"""What a caller may ask for; the first ``*`` is the namespace."""


class Cluster(NamedTuple):
    """How the servers of a NATS cluster find each other."""

    name: str
    password: str
    routes: Sequence[str]
    """``host:port`` of each server's route listener."""


ROUTE_PORT = 6222
"""Where a server listens for the others of its cluster (the NATS documentation's port for routes)."""


def caller(tenant: str) -> str:
    """The name of a tenant's user. Names are unique over all accounts of a server."""
    return f"caller-{tenant}"


def render(
    *,
    listen: str,
    store_dir: str,
    passwords: Mapping[str, str],
    tenants: Mapping[str, Sequence[str]],
    sync_always: bool = True,
    monitor: str = "",
    cluster: Cluster | None = None,
) -> str:
    """The configuration file's text.

    ``passwords`` has one for each of SERVICES and one ``caller-<tenant>`` for each tenant; ``tenants`` maps the name of
    an account to its namespaces, ``["*"]`` meaning all. ``sync_always``: JetStream syncs to disk before it
    acknowledges, which a single server needs so that nothing acknowledged is lost with the machine.
    ``monitor`` is the address of the health endpoint, none when it is empty. In a cluster each server takes its name
    from the environment variable ``POD_NAME``.
    """
    accounts = {"PLATFORM": _platform(passwords)}
    accounts.update(
        {name: _tenant(caller(name), passwords[caller(name)], namespaces) for name, namespaces in tenants.items()}
    )
    document: dict[str, Any] = {
        "listen": listen,
        "max_payload": MAX_PAYLOAD,
        "jetstream": {"store_dir": store_dir, "sync_interval": "always" if sync_always else "2m"},
        "accounts": accounts,
    }
    if monitor:
        document["http"] = monitor
    if cluster is not None:
        document["cluster"] = _cluster(cluster)
    # nats-server reads JSON as a form of its configuration language; a variable must stand there unquoted
    text = json.dumps(document, indent=2)
    return text if cluster is None else f"server_name: $POD_NAME\n{text[1:-1].strip()}\n"


def _cluster(cluster: Cluster) -> dict[str, object]:
    user = "route"
    return {
        "name": cluster.name,
        "listen": f"0.0.0.0:{ROUTE_PORT}",
        "authorization": {"user": user, "password": cluster.password},
        "routes": [f"nats://{user}:{cluster.password}@{route}" for route in cluster.routes],
    }


def _platform(passwords: Mapping[str, str]) -> dict[str, object]:
    users = []
    for name in SERVICES:
        publish, subscribe = _PERMISSIONS[name]
        users.append(
            {"user": name, "password": passwords[name], "permissions": {"publish": publish, "subscribe": subscribe}}
        )
    return {
        "jetstream": "enabled",
        "users": users,
        "exports": [
            # 1 h is the longest timeout of a function: an answer that comes later would be dropped
            *({"service": subject, "response_threshold": "1h"} for subject in _REQUESTS),
            {"stream": "faas.event.>"},
        ],
    }


def _tenant(user: str, password: str, namespaces: Sequence[str]) -> dict[str, object]:
    every = "*" in namespaces
    requests = [subject.replace("*", each, 1) for each in (["*"] if every else namespaces) for subject in _REQUESTS]
    events = ["faas.event.>"] if every else [f"faas.event.{namespace}.>" for namespace in namespaces]
    # The imports alone draw the line between namespaces: a request outside is "no responders" at once, where a refused
    # publish would leave its caller waiting, and one subscription to all events gets those of the tenant.
    return {
        "users": [
            {
                "user": user,
                "password": password,
                "permissions": {"publish": list(_REQUESTS), "subscribe": ["faas.event.>", "_INBOX.>"]},
            }
        ],
        "imports": [
            *({"service": {"account": "PLATFORM", "subject": subject}} for subject in requests),
            *({"stream": {"account": "PLATFORM", "subject": subject}} for subject in events),
        ],
    }
