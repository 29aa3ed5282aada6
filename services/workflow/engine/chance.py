"""What chance decides in a run, from the seed that its first record has: the same again in every replay."""

import hashlib
import uuid


def _digest(seed: str, what: str) -> bytes:
    return hashlib.sha256(f"{seed}/{what}".encode()).digest()


def draw(seed: str, what: str) -> float:
    """A number from 0 up to 1, evenly distributed over seeds and over what it is for."""
    return int.from_bytes(_digest(seed, what)[:7], "big") / 2**56


def new_id(seed: str, what: str) -> str:
    """A random (version 4) UUID."""
    return str(uuid.UUID(bytes=_digest(seed, what)[:16], version=4))
