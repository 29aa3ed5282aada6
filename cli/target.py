"""Which platform a verb talks to."""

import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

import msgspec

from cli.output import Failure, usage
from services.contracts.errors import Exit

START_HINT = "start the platform with faas up, or set FAAS_GATEWAY to the address of another"


class Target(NamedTuple):
    """A gateway: its address, and the bearer token for it (empty: none)."""

    url: SplitResult
    token: str

    @property
    def address(self) -> str:
        """The address as people write it, without a slash at its end."""
        return self.url.geturl().rstrip("/")


class _Addresses(msgspec.Struct):
    gateway: str
    token: str = ""


def find(directory: str | None) -> Target:
    """The gateway of ``directory`` (``--dir``), else FAAS_GATEWAY with FAAS_TOKEN, else FAAS_DIR's, else ~/.faas's.

    An option goes before the environment, so that ``--dir`` never ends up at another platform than it names.
    Raises Failure: usage for an address that is none, unavailable when no platform is known.
    """
    token = os.environ.get("FAAS_TOKEN", "")
    if directory is None and os.environ.get("FAAS_GATEWAY"):
        return Target(_checked(os.environ["FAAS_GATEWAY"], "FAAS_GATEWAY"), _token(token))
    file = Path(directory or os.environ.get("FAAS_DIR") or Path.home() / ".faas") / "faas.json"
    try:
        addresses = msgspec.json.decode(file.read_bytes(), type=_Addresses)
    except (FileNotFoundError, NotADirectoryError):
        raise Failure(f"no platform was started in {file.parent}", START_HINT, Exit.UNAVAILABLE) from None
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", exit_code=Exit.UNAVAILABLE) from None
    except msgspec.DecodeError as error:
        hint = "faas down and faas up write it again"
        raise Failure(f"{file} cannot be understood: {error}", hint, Exit.UNAVAILABLE) from None
    return Target(_checked(addresses.gateway, str(file)), _token(token or addresses.token))


def _checked(text: str, origin: str) -> SplitResult:
    try:
        url = urlsplit(text)
        valid = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        valid = False
    if not valid or not text.isascii() or not text.isprintable() or " " in text or url.username is not None:
        raise usage(f"{origin}: {text[:100]!a} is not an address: write http://HOST:PORT or https://HOST")
    return url


def _token(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise usage("FAAS_TOKEN has a character that no token has: is there a line end in it?")
    return text
