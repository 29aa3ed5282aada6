"""Archives of functions' code: digest, address at the gateway, and the token with which a Pod fetches one."""

import hashlib
import hmac
import re

from services.contracts.names import FunctionRef, is_label

MAX_ARCHIVE = 256 * 1024 * 1024
"""Bytes of one archive, packed."""
_DIGEST = re.compile(r"[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Whether ``text`` is a SHA-256 in lower-case hexadecimal."""
    return _DIGEST.fullmatch(text) is not None


def path(namespace: str, digest: str) -> str:
    """Where the gateway takes (PUT) and gives (GET) an archive."""
    return f"/api/v1/namespaces/{namespace}/archives/{digest}"


def fetch_token(key: bytes, ref: FunctionRef, digest: str) -> str:
    """The token with which Pods of ``ref`` may read this one archive, nothing else. ``key``: the platform's secret."""
    return f"{ref.name}.{_mac(key, ref, digest)}"


def may_fetch(key: bytes, namespace: str, digest: str, token: str) -> bool:
    """Whether ``token`` is one of ``fetch_token`` for this archive in this namespace; compared in constant time."""
    name, dot, mac = token.partition(".")
    if not dot or not is_label(name) or not mac.isascii():
        return False
    return hmac.compare_digest(mac, _mac(key, FunctionRef(namespace, name), digest))


def _mac(key: bytes, ref: FunctionRef, digest: str) -> str:
    return hmac.new(key, f"archive\n{ref}\n{digest}".encode(), hashlib.sha256).hexdigest()
