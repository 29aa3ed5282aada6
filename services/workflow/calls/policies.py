"""Authentication policies with all their values in place: those that a secret has are read from it. Pure."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from services.contracts.workflow import auth as a
from services.workflow.calls.problems import CallError, configuration

P = TypeVar("P", bound=msgspec.Struct)
Policy = a.BasicAuthentication | a.BearerAuthentication | a.DigestAuthentication | a.OidcAuthentication
_KINDS: dict[str, type[msgspec.Struct]] = {
    "basic": a.BasicAuthentication,
    "bearer": a.BearerAuthentication,
    "digest": a.DigestAuthentication,
    "oauth2": a.OAuth2Authentication,
    "oidc": a.OidcAuthentication,
}
_PARTS: dict[str, type[msgspec.Struct]] = {
    "client": a.OAuth2Client,
    "request": a.OAuth2Request,
    "endpoints": a.OAuth2Endpoints,
    "subject": a.OAuth2Token,
    "actor": a.OAuth2Token,
}
_LISTS = frozenset({"issuers", "scopes", "audiences"})


def resolved(policy: Any, secrets: Mapping[str, Any]) -> Policy | None:
    """The policy itself. Raises CallError for a secret that is not there (authorization) or lacks what the scheme
    wants (configuration); its text names keys, never values."""
    if not isinstance(policy, a.SecretAuthentication):
        return policy  # type: ignore[no-any-return]
    if policy.use not in secrets:
        raise CallError("authorization", f"there is no secret {policy.use} that this workflow may use")
    found = secrets[policy.use]
    if not isinstance(found, Mapping):
        found = {"token": found} if policy.scheme == "bearer" else {}
    made = _build(_KINDS[policy.scheme], _nested(found), f"secret {policy.use}")
    if isinstance(made, a.OidcAuthentication) and made.grant in ("authorization_code", "refresh_token"):
        raise configuration(f"secret {policy.use}: grant: this grant needs a person in front of a browser")
    return made  # type: ignore[return-value]


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a Kubernetes Secret are flat: ``client.id`` is ``id`` of ``client``, and a value may be JSON."""
    made: dict[str, Any] = {}
    for key, value in flat.items():
        outer, dot, inner = key.partition(".")
        if dot and outer in _PARTS:
            made.setdefault(outer, {})
            if isinstance(made[outer], dict):
                made[outer][inner] = value
        elif key in _PARTS or key in _LISTS:
            made[key] = _json(value)
        else:
            made[key] = value
    return made


def _json(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def _build(kind: type[P], values: Any, place: str) -> P:
    if not isinstance(values, Mapping):
        raise configuration(f"{place}: expected an object")
    made: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.name not in values:
            if field.required:
                raise configuration(f"{place}: the key {field.name} is missing")
            continue
        value, at = values[field.name], f"{place}: {field.name}"
        if field.name in _PARTS:
            made[field.name] = _build(_PARTS[field.name], value, at)
        elif field.name in _LISTS:
            made[field.name] = _texts(value, at)
        elif isinstance(value, str):
            made[field.name] = value
        else:
            raise configuration(f"{at}: expected a text")
    _check_choices(kind, made, place)
    return kind(**made)


def _check_choices(kind: type[msgspec.Struct], made: dict[str, Any], place: str) -> None:
    for field in msgspec.structs.fields(kind):
        choices = getattr(field.type, "__args__", ()) if getattr(field.type, "__origin__", None) is not None else ()
        texts = [choice for choice in choices if isinstance(choice, str)]
        if texts and field.name in made and made[field.name] not in texts:
            raise configuration(f"{place}: {field.name}: expected one of {', '.join(texts)}")


def _texts(value: Any, place: str) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise configuration(f"{place}: expected a list of texts")
