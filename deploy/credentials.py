"""The Secrets of an installation, from those there are and what is asked for. Pure but for the random passwords.

What exists is kept, so a later run adds what is new (a tenant, a service's user) and changes nobody's password.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from services.contracts import accounts
from services.contracts.names import InvalidName, check_label

Secrets = Mapping[str, Mapping[str, str]]
"""Each Secret's values by its name."""

EVERY = "*"
CLIENT_PORT = 4222
MONITOR_PORT = 8222
MAX_TENANT = 63 - len("faas-caller-")
"""Characters of a tenant's name: names that fit a DNS label are easy to use everywhere."""
CONFIG, ROUTES, ARCHIVE_KEY = "nats-config", "nats-routes", "faas-archive-key"
TOKENS, OPERATOR = "faas-gateway-tokens", "faas-operator-token"


class InvalidTenants(ValueError):
    """The tenants can't be used; the message says which and why."""


class Installation(NamedTuple):
    """What is asked for."""

    namespace: str
    """The platform's own."""
    servers: int
    """How many NATS servers."""
    tenants: Mapping[str, Sequence[str]]
    """Namespaces by tenant; ``["*"]``: all."""


def read_tenants(text: str) -> dict[str, list[str]]:
    """Tenants with their namespaces, from a JSON object ``{"<tenant>": ["<namespace>", …] or ["*"]}``.

    Raises InvalidTenants.
    """
    try:
        tenants = msgspec.json.decode(text, type=dict[str, list[str]])
    except msgspec.DecodeError as error:
        raise InvalidTenants(f'not of the form {{"<tenant>": ["<namespace>", …]}}: {error}') from None
    for tenant, namespaces in tenants.items():
        try:
            check_label(tenant, "tenant")
            for namespace in namespaces:
                if namespace != EVERY:
                    check_label(namespace, f"namespace of tenant {tenant}")
        except InvalidName as error:
            raise InvalidTenants(str(error)) from None
        if len(tenant) > MAX_TENANT:
            raise InvalidTenants(f"tenant {tenant} has {len(tenant)} characters, at most {MAX_TENANT} are possible")
    return tenants


def names(wanted: Installation) -> list[str]:
    """The names of all Secrets of an installation."""
    users = [user_secret(user) for user in accounts.SERVICES]
    return [*users, *map(caller_secret, wanted.tenants), ROUTES, ARCHIVE_KEY, OPERATOR, TOKENS, CONFIG]


def user_secret(user: str) -> str:
    """The Secret with the NATS password of a service."""
    return f"nats-user-{user}"


def caller_secret(tenant: str) -> str:
    """The Secret with which a tenant's programs call over NATS: ``user``, ``password``, ``url``."""
    return f"faas-caller-{tenant}"


def plan(wanted: Installation, existing: Secrets) -> dict[str, dict[str, str]]:
    """Every Secret as it should be. Values of ``existing`` ones are kept; what follows from others is made anew."""

    def kept(name: str, key: str, length: int = 24) -> str:
        return existing.get(name, {}).get(key) or secrets.token_urlsafe(length)

    found = {user_secret(user): {"password": kept(user_secret(user), "password")} for user in accounts.SERVICES}
    passwords = {user: found[user_secret(user)]["password"] for user in accounts.SERVICES}
    for tenant in wanted.tenants:
        name, user = caller_secret(tenant), accounts.caller(tenant)
        password = passwords[user] = kept(name, "password")
        url = f"nats://{user}:{password}@nats.{wanted.namespace}.svc:{CLIENT_PORT}"
        found[name] = {"user": user, "password": password, "url": url}
    found[ROUTES] = {"password": kept(ROUTES, "password")}
    found[ARCHIVE_KEY] = {"key": kept(ARCHIVE_KEY, "key", 32)}
    operator = kept(OPERATOR, "token", 32)
    found[OPERATOR] = {"token": operator}
    # the operator adds tokens of others to this file, so it is never written over
    tokens = existing.get(TOKENS, {}).get("tokens.json") or msgspec.json.encode({operator: [EVERY]}).decode()
    found[TOKENS] = {"tokens.json": tokens}
    found[CONFIG] = {"nats.conf": _server_configuration(wanted, passwords, found[ROUTES]["password"])}
    return found


def _server_configuration(wanted: Installation, passwords: Mapping[str, str], routes_password: str) -> str:
    hosts = [f"nats-{number}.nats-headless.{wanted.namespace}.svc" for number in range(wanted.servers)]
    cluster = accounts.Cluster("faas", routes_password, [f"{host}:{accounts.ROUTE_PORT}" for host in hosts])
    return accounts.render(
        listen=f"0.0.0.0:{CLIENT_PORT}",
        store_dir="/data",
        passwords=passwords,
        tenants=wanted.tenants,
        sync_always=wanted.servers == 1,  # of several servers a majority has what was acknowledged
        monitor=f"0.0.0.0:{MONITOR_PORT}",
        cluster=cluster if wanted.servers > 1 else None,
    )
