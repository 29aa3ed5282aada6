"""Schemas that a definition has by ``resource``. They are fetched when the definition is judged, before there is any
run, so that what says where they are has to be constant."""

from urllib.parse import urlsplit

from services.contracts.workflow.auth import AuthenticationReference, Endpoint, OidcAuthentication
from services.contracts.workflow.data import Schema
from services.contracts.workflow.model import Definition
from services.contracts.workflow.node import Node, Scope
from services.contracts.workflow.problems import describe
from services.contracts.workflow.walk import schemas

MAX_RESOURCES = 50
"""Schemas elsewhere in one definition: each is fetched by every service that judges it, again and again if it fails."""
_HINT = "a schema is fetched once, before any run: there is no data yet; or write the schema into document"


def elsewhere(definition: Definition) -> list[tuple[str, Schema]]:
    """The schemas that are to be fetched, each with its pointer."""
    return [(pointer, schema) for pointer, schema in schemas(definition) if schema.resource is not None]


def check(definition: Definition, scope: Scope) -> None:
    """Notes each schema that can't be fetched, whoever tries, and too many of them."""
    found = elsewhere(definition)
    if len(found) > MAX_RESOURCES:
        pointer = f"{found[MAX_RESOURCES][0]}/resource"
        _note(scope, pointer, f"{len(found)} schemas that are elsewhere", f"at most {MAX_RESOURCES}", "use document")
        return
    for pointer, schema in found:
        assert schema.resource is not None
        _check_endpoint(definition, schema.resource.endpoint, f"{pointer}/resource/endpoint", scope)


def _check_endpoint(definition: Definition, endpoint: Endpoint, pointer: str, scope: Scope) -> None:
    uri = endpoint.uri
    if not isinstance(uri, str):
        _note(scope, pointer, "an expression", "a constant URI", _HINT)
    elif "{" in uri:
        _note(scope, pointer, describe(uri), "a URI without {name} in it", _HINT)
    elif not _is_absolute(uri):
        _note(scope, pointer, describe(uri), "an absolute URI with http or https, and no user in it")
    policy = endpoint.authentication
    if isinstance(policy, AuthenticationReference):
        policy = definition.use.authentications.get(policy.use)
    if isinstance(policy, OidcAuthentication) and isinstance(policy.authority, str) and "{" in policy.authority:
        _note(
            scope, f"{pointer}/authentication", describe(policy.authority), "an authority without {name} in it", _HINT
        )


def _is_absolute(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _note(scope: Scope, pointer: str, found: str, expected: str, hint: str = "") -> None:
    Node(None, pointer, scope).note(expected, found=found, hint=hint, kind="rule")
