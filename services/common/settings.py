"""Settings of a process, read from its environment: field ``nats_url`` comes from ``FAAS_NATS_URL``.

Each service's ``config.py`` documents its own as a struct; this module only reads them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta


class Common(msgspec.Struct, frozen=True, kw_only=True):
    """Settings that every service has."""

    nats_url: str = "nats://127.0.0.1:4222"
    """Address of the bus; several are separated by commas."""
    nats_user: str = ""
    """The service's own NATS user."""
    nats_password_file: str = ""
    """File with that user's password; read at each connect, so that a rotated one is taken."""
    kubeconfig: str = ""
    """Path of a kubeconfig; empty means the Pod's service account."""
    http_host: str = "127.0.0.1"
    """Address that the service's HTTP endpoint binds."""
    http_port: Annotated[int, Meta(ge=0, le=65535)] = 0
    """Port of the service's HTTP endpoint; 0 lets the kernel choose and writes it to the log."""
    instance: Annotated[str, Meta(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", max_length=63)] = ""
    """This process's name among its equals, a DNS-1123 label; empty: made from the host's name and a random part."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """``debug``, ``info``, ``warning`` or ``error``."""


class InvalidSettings(ValueError):
    """Settings that cannot be used; the message has a line for each, naming its variable."""


S = TypeVar("S", bound=Common)


def load(type_: type[S], environ: Mapping[str, str]) -> S:
    """Reads the settings struct ``type_`` from ``environ``. Raises InvalidSettings naming every bad variable."""
    values, problems = {}, []
    for field in msgspec.structs.fields(type_):
        variable = f"FAAS_{field.name.upper()}"
        if variable not in environ:
            if field.required:
                problems.append(f"{variable} is not set")
            continue
        try:
            values[field.name] = msgspec.convert(environ[variable], field.type, strict=False)
        except msgspec.ValidationError as error:
            problems.append(f"{variable}={environ[variable]!r}: {error}")
            continue
        if field.name.endswith("_file") or field.name == "kubeconfig":
            problems += _unreadable(variable, environ[variable])
    if problems:
        raise InvalidSettings("\n".join(problems))
    try:
        return type_(**values)
    except ValueError as error:  # what a struct's __post_init__ says of several that do not go together
        raise InvalidSettings(str(error)) from None


def _unreadable(variable: str, path: str) -> list[str]:
    """What is wrong with a file that a setting names; nothing for an empty path."""
    try:
        if path:
            with open(path, "rb"):
                pass
    except OSError as error:
        return [f"{variable}={path!r}: {error.strerror}"]
    return []


def read_secret(path: str) -> str:
    """The one line of a secret's file, without its line end; empty for an empty path."""
    return Path(path).read_text(encoding="utf-8").strip() if path else ""
