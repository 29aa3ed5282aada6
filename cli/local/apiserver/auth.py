"""Bearer-token authentication (RFC 6750)."""

import hmac
from pathlib import Path

from cli.local.apiserver import errors

# What tells nothing of the objects; the real server's role system:public-info-viewer allows the same.
PUBLIC_PATHS = ("/healthz", "/livez", "/readyz", "/version")


class Authenticator:
    """Compares the Authorization header with the one token of the platform's owner."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    def check(self, path: str, headers: dict[bytes, bytes]) -> None:
        """Raise a 401 StatusError unless the path is public or the token is right."""
        given = headers.get(b"authorization", b"")
        scheme, _, credentials = given.partition(b" ")
        if scheme.lower() == b"bearer":
            given = b"Bearer " + credentials.strip()
        if not hmac.compare_digest(given, self._expected) and path not in PUBLIC_PATHS:
            raise errors.unauthorized()


def read_token(path: Path) -> str:
    """The token in a file. Raises ValueError when it is empty, which would let anybody in."""
    token = path.read_text().strip()
    if len(token) < 16:
        raise ValueError(f"{path} holds no token of at least 16 characters")
    return token
