"""Tokens by OAuth 2.0 (RFC 6749, 7523, 8693) and OpenID Connect, kept until they expire."""

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from services.contracts.workflow.auth import OAuth2Authentication, OidcAuthentication
from services.workflow.calls.exchange import Exchange, Reply, Request
from services.workflow.calls.problems import BROKEN, CallError, configuration
from services.workflow.calls.values import FORM, JSON, url_of

WELL_KNOWN = "/.well-known/openid-configuration"
_EARLY = 30.0
"""Seconds before its end from which a token is not used any more: it must still be good when the request arrives."""
_KEPT = 1000
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_CODE = re.compile(r"[a-z_]{1,40}")


class Token(msgspec.Struct, frozen=True):
    """An access token and the time (monotonic) from which another is wanted."""

    value: str
    until: float


class Tokens:
    """Asks for tokens; a kept one is shared by all calls with the very same policy."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._kept: OrderedDict[bytes, Token] = OrderedDict()
        self._asking: dict[bytes, asyncio.Lock] = {}

    async def get(self, policy: OidcAuthentication, *, instead_of: str = "") -> tuple[str, bool]:
        """A token, and whether it was there already; never the one that is known to be refused. Raises CallError."""
        key = hashlib.sha256(msgspec.json.encode((type(policy).__name__, policy))).digest()
        lock = self._asking.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                token = self._kept.get(key)
                if token is not None and token.until > time.monotonic() and token.value != instead_of:
                    self._kept.move_to_end(key)
                    return token.value, True
                token = await self._ask(policy)
                self._kept[key] = token
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
                return token.value, False
        finally:
            if not lock.locked():
                self._asking.pop(key, None)

    async def _ask(self, policy: OidcAuthentication) -> Token:
        url, issuer = await self._endpoint(policy)
        request = token_request(policy, url)
        reply = await self._exchange.send(request)
        return _token(policy, _answer(reply, request.place), issuer)

    async def _endpoint(self, policy: OidcAuthentication) -> tuple[str, str]:
        """The token endpoint, and the issuer when it was discovered."""
        authority = str(policy.authority).rstrip("/")
        if isinstance(policy, OAuth2Authentication) and "/.well-known/" not in authority:
            return f"{authority}/{str(policy.endpoints.token).lstrip('/')}", ""
        where = authority if "/.well-known/" in authority else authority + WELL_KNOWN
        url = url_of(where, [])
        place = f"authority {url.origin()}"
        reply = await self._exchange.send(
            Request(method="GET", url=url, headers={"accept": JSON, "accept-encoding": "identity"}, place=place)
        )
        found = _answer(reply, place)
        endpoint = found.get("token_endpoint")
        if not isinstance(endpoint, str):
            raise configuration(f"{place}: its discovery document has no token_endpoint")
        return endpoint, str(found.get("issuer", ""))


def token_request(policy: OidcAuthentication, endpoint: str) -> Request:
    """The request for a token. Raises CallError for a policy that lacks what its grant or client wants."""
    url = url_of(endpoint, [])
    fields: list[tuple[str, Any]] = [("grant_type", policy.grant), *_grant(policy)]
    headers = {"accept": JSON, "accept-encoding": "identity"}
    client, method = policy.client, policy.client.authentication
    if method != "none" and client.id is None:
        raise configuration(f"authentication: client.id is missing, which {method} wants")
    if method in ("client_secret_basic", "client_secret_post", "client_secret_jwt") and client.secret is None:
        raise configuration(f"authentication: client.secret is missing, which {method} wants")
    if method == "client_secret_basic":
        pair = f"{quote(str(client.id), safe='')}:{quote(str(client.secret), safe='')}"
        headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    elif client.id is not None:
        fields.append(("client_id", client.id))
    if method == "client_secret_post":
        fields.append(("client_secret", client.secret))
    elif method == "client_secret_jwt":
        signed = _signed(str(client.id), str(client.secret), endpoint)
        fields += [("client_assertion_type", _ASSERTION), ("client_assertion", signed)]
    elif method == "private_key_jwt":
        if client.assertion is None:
            raise configuration("authentication: client.assertion is missing, which private_key_jwt wants")
        fields += [("client_assertion_type", _ASSERTION), ("client_assertion", client.assertion)]
    headers["content-type"] = policy.request.encoding
    body = urlencode(fields).encode() if policy.request.encoding == FORM else msgspec.json.encode(_object(fields))
    return Request(method="POST", url=url, headers=headers, body=body, place=f"token endpoint {url.origin()}")


def _grant(policy: OidcAuthentication) -> list[tuple[str, Any]]:
    fields: list[tuple[str, Any]] = []
    if policy.grant == "password":
        if policy.username is None or policy.password is None:
            raise configuration("authentication: username or password is missing, which the grant password wants")
        fields += [("username", policy.username), ("password", policy.password)]
    elif policy.grant == _EXCHANGE:
        if policy.subject is None:
            raise configuration("authentication: subject is missing, which token-exchange wants")
        fields += [("subject_token", policy.subject.token), ("subject_token_type", policy.subject.type)]
        if policy.actor is not None:
            fields += [("actor_token", policy.actor.token), ("actor_token_type", policy.actor.type)]
    elif policy.grant != "client_credentials":
        raise configuration(f"authentication: the grant {policy.grant} needs a person in front of a browser")
    if policy.scopes:
        fields.append(("scope", " ".join(map(str, policy.scopes))))
    return fields + [("audience", audience) for audience in policy.audiences]


def _object(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    """Fields as a JSON object; one that is there several times is a list."""
    made: dict[str, Any] = {}
    for name, value in fields:
        if name not in made:
            made[name] = value
        else:
            made[name] = [*(made[name] if isinstance(made[name], list) else [made[name]]), value]
    return made


def _signed(client: str, secret: str, audience: str) -> str:
    """A JWT by which a client shows that it knows its secret (OpenID Connect Core, 9), good for a minute."""
    now = int(time.time())
    claims = {"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + 60, "jti": secrets.token_hex(16)}
    header = {"alg": "HS256", "typ": "JWT"}
    text = _base64url(msgspec.json.encode(header)) + b"." + _base64url(msgspec.json.encode(claims))
    return (text + b"." + _base64url(hmac.digest(secret.encode(), text, "sha256"))).decode()


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _answer(reply: Reply, place: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not 200 <= reply.status <= 299:
        code = found.get("error") if isinstance(found, dict) else None
        why = f" ({code})" if isinstance(code, str) and _CODE.fullmatch(code) else ""
        kind = "authentication" if 400 <= reply.status <= 499 else "communication"
        status = 401 if kind == "authentication" else reply.status if reply.status >= 500 else BROKEN
        raise CallError(kind, f"{place} answered {reply.status}{why}", status)
    if not isinstance(found, dict):
        raise CallError("communication", f"{place}: its answer is no JSON object", BROKEN)
    return found


def _token(policy: OidcAuthentication, found: dict[str, Any], issuer: str) -> Token:
    value = found.get("access_token")
    if not isinstance(value, str) or not value:
        raise CallError("authentication", "the token endpoint's answer has no access_token")
    claims = _claims(value)
    if policy.issuers:
        issuer = str(claims.get("iss", issuer))
        if issuer not in policy.issuers:
            raise CallError("authentication", "the token's issuer is none of issuers")
    lifetime = found.get("expires_in", 0)
    if isinstance(lifetime, str) and lifetime.isdigit():
        lifetime = int(lifetime)
    if not isinstance(lifetime, int | float) or isinstance(lifetime, bool):
        lifetime = 0
    if not lifetime and isinstance(claims.get("exp"), int | float):
        lifetime = claims["exp"] - time.time()
    return Token(value, time.monotonic() + min(lifetime, 86_400) - _EARLY)


def _claims(token: str) -> dict[str, Any]:
    """The claims of a JWT, unverified: it is for the server that it is sent to; empty for another kind of token."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
