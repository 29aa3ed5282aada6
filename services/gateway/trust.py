"""Who may do what: bearer tokens for namespaces, or, where none are asked for, only requests meant for this gateway.

Without tokens the danger is a web page: a browser sends its requests to loopback too. Such a request has a foreign
``Origin``, or, when the page's own name was re-pointed at loopback (DNS rebinding), a foreign ``Host``.
"""

import hmac
import secrets
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from pathlib import Path

import msgspec

from services.contracts import archives
from services.contracts.errors import Code, FaasError
from services.gateway.request import Fields

EVERY = "*"


class InvalidTokens(ValueError):
    """A tokens file that cannot be used; the message says why."""


class Hosts:
    """The names under which this gateway may be addressed."""

    def __init__(self, allowed: str, port: int) -> None:
        self._port = str(port)
        self._allowed = frozenset(host.strip().lower() for host in allowed.split(",") if host.strip())
        names = ("localhost", "127.0.0.1", "[::1]")
        self._usual = frozenset(f"{name}:{port}".encode() for name in names)

    def check(self, found: Fields) -> None:
        """Raises FaasError: ``misdirected`` for a foreign Host, ``forbidden`` for a foreign Origin (RFC 6454)."""
        host = found.get(b"host")
        if host not in self._usual:
            if host is None:
                raise FaasError(Code.BAD_REQUEST, "the request has no Host header")
            if not self._is_own(host.decode("latin-1"), "80"):
                raise FaasError(
                    Code.MISDIRECTED,
                    f"this gateway does not go by the name {host[:80].decode('latin-1')!a}: "
                    "its operator can add it to FAAS_ALLOWED_HOSTS",
                )
        origin = found.get(b"origin")
        if origin is not None:
            scheme, _, authority = origin.decode("latin-1").partition("://")
            if scheme not in ("http", "https") or not self._is_own(authority, "443" if scheme == "https" else "80"):
                raise FaasError(Code.FORBIDDEN, f"pages of {origin[:80].decode('latin-1')!a} may not use this gateway")

    def _is_own(self, authority: str, default_port: str) -> bool:
        authority = authority.lower()
        name, port = split_port(authority, default_port)
        if EVERY in self._allowed or name in self._allowed or f"{name}:{port}" in self._allowed:
            return bool(name)
        return port == self._port and _is_loopback(name)


def split_port(authority: str, default_port: str) -> tuple[str, str]:
    """Host and port of ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``."""
    end = authority.rfind("]") + 1
    name, colon, port = authority[end:].partition(":")
    return authority[:end] + name, port if colon else default_port


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


class Tokens:
    """Bearer tokens (RFC 6750) and the namespaces that each opens.

    Tokens are compared by a keyed digest, so the time of a look-up says nothing about how much of a guess was right.
    """

    def __init__(self, tokens: Mapping[str, Iterable[str]]) -> None:
        self._key = secrets.token_bytes(32)
        self._namespaces = {self._digest(token): frozenset(names) for token, names in tokens.items()}

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._key, token.encode("latin-1", "replace"), "sha256")

    def check(self, token: str | None, namespace: str | None) -> None:
        """Raises FaasError unless ``token`` opens ``namespace``; None is what spans all namespaces."""
        if token is None:
            raise FaasError(Code.UNAUTHORIZED, "this gateway asks for a token: send it as Authorization: Bearer …")
        opened = self._namespaces.get(self._digest(token))
        if opened is None:
            raise FaasError(Code.UNAUTHORIZED, "the token is not one of this gateway's")
        if EVERY not in opened and namespace not in opened:
            where = f"the namespace {namespace}" if namespace else "what spans all namespaces"
            raise FaasError(Code.FORBIDDEN, f"the token does not open {where}")


def read_tokens(path: str) -> Tokens:
    """The tokens of a tokens file. Raises InvalidTokens."""
    try:
        return Tokens(msgspec.json.decode(Path(path).read_bytes(), type=dict[str, list[str]]))
    except OSError as error:
        raise InvalidTokens(f"FAAS_TOKENS_FILE: cannot read {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise InvalidTokens(
            f'FAAS_TOKENS_FILE: {path} is not of the form {{"<token>": ["<namespace>", …] or ["*"]}}: {error}'
        ) from None


def bearer(found: Fields) -> str | None:
    """The token of an ``Authorization: Bearer`` header."""
    scheme, _, token = found.get(b"authorization", b"").decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


class Trust:
    """The door: every request passes ``check`` once. ``tokens`` may be replaced while it is in use."""

    def __init__(self, hosts: Hosts, tokens: Tokens | None, archive_key: bytes = b"") -> None:
        self.tokens = tokens
        self._hosts = hosts
        self._archive_key = archive_key

    def check(self, found: Fields, namespace: str | None) -> None:
        """Raises FaasError when the sender of these header fields may not act on ``namespace`` (None: on all)."""
        if self.tokens is None:
            self._hosts.check(found)
        else:
            self.tokens.check(bearer(found), namespace)

    def may_fetch(self, found: Fields, namespace: str, digest: str) -> bool:
        """Whether a Pod's own token for this one archive was sent."""
        token = bearer(found)
        return bool(token and self._archive_key) and archives.may_fetch(
            self._archive_key, namespace, digest, token or ""
        )
