"""The Pod's environment, read once and checked (the table is in docs/reference/runtime.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping

import msgspec

from faas_runtime.errors import StartupError

_KEPT_FOR_USER_CODE = frozenset({"FAAS_NAMESPACE", "FAAS_FUNCTION", "FAAS_REVISION"})
# Compiled here, in the warm parent, and not once more at every start.
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HANDLER = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_INTEGER = re.compile(r"[0-9]{1,12}")
_FILES = msgspec.json.Decoder(dict[str, str])


class Archive(msgspec.Struct, frozen=True):
    """Where the packed source is, the digest it must have, and the function's own token to read it."""

    url: str
    sha256: str
    token: str


class Settings(msgspec.Struct, frozen=True):
    """Everything the Pod is told. Times in seconds."""

    host: str
    port: int
    namespace: str
    function: str
    revision: str
    handler: str
    timeout: float
    concurrency: int
    inline: dict[str, str] | None
    archive: Archive | None
    cache_dir: str | None

    @property
    def title(self) -> str:
        """How messages name the function: ``namespace/name``."""
        return f"{self.namespace}/{self.function}"


def read_settings(env: Mapping[str, str]) -> Settings:
    """Settings from ``env``. Raises StartupError naming the variable that is wrong."""
    handler = env.get("FAAS_HANDLER", "main:handle")
    if not _HANDLER.fullmatch(handler):
        raise StartupError(f"FAAS_HANDLER must look like module:attribute (main:handle), but is {handler!r}")
    inline, archive = _inline(env), _archive(env)
    if inline is not None and archive is not None:
        raise StartupError("FAAS_SOURCE_INLINE and FAAS_ARCHIVE_URL are both set: a function has one source")
    return Settings(
        host=env.get("HOST") or "0.0.0.0",
        port=_integer(env, "PORT", 8080, 0, 65535),
        namespace=env.get("FAAS_NAMESPACE", "default"),
        function=env.get("FAAS_FUNCTION", "function"),
        revision=env.get("FAAS_REVISION", ""),
        handler=handler,
        timeout=_integer(env, "FAAS_TIMEOUT_MS", 60_000, 1, 86_400_000) / 1000,
        concurrency=_integer(env, "FAAS_CONCURRENCY", 10, 1, 1000),
        inline=inline,
        archive=archive,
        cache_dir=env.get("FAAS_CACHE_DIR") or None,
    )


def hide_platform_variables(env: MutableMapping[str, str]) -> None:
    """Remove what is the platform's business (tokens among it) before user code can read it."""
    for name in [name for name in env if name.startswith("FAAS_") and name not in _KEPT_FOR_USER_CODE]:
        del env[name]


def _integer(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name) or str(default)
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        raise StartupError(f"{name} must be a whole number from {low} to {high}, but is {text!r}")
    return int(text)


def _inline(env: Mapping[str, str]) -> dict[str, str] | None:
    text = env.get("FAAS_SOURCE_INLINE")
    if not text:
        return None
    try:
        return _FILES.decode(text)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StartupError(f"FAAS_SOURCE_INLINE must be a JSON object of path to text: {error}") from None


def _archive(env: Mapping[str, str]) -> Archive | None:
    url = env.get("FAAS_ARCHIVE_URL")
    if not url:
        return None
    sha256 = env.get("FAAS_ARCHIVE_SHA256", "")
    if not _SHA256.fullmatch(sha256):
        raise StartupError(f"FAAS_ARCHIVE_SHA256 must be 64 hexadecimal digits, but is {sha256!r}")
    if not url.startswith("http://"):
        raise StartupError(f"FAAS_ARCHIVE_URL must start with http://, but is {url!r}")
    return Archive(url=url, sha256=sha256, token=env.get("FAAS_ARCHIVE_TOKEN", ""))
