"""How long a test waits for what ought to happen, and what time it allows where the time itself is promised."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 45.0
"""Seconds, for what takes a second or less on an idle machine: a busy one may be many times slower, and only a failure
waits to the end of it. (pytest ends a test after 120 s.)"""
START_SECONDS = 0.15
"""What the start of a Python process with the usual modules takes on an idle machine of two cores."""


def slowness() -> float:
    """How many times longer than on an idle machine things take at this moment; at least 1.

    For times that the platform promises: they are about an idle machine, and a process start is what most of them are
    made of.
    """
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import asyncio, http.client, json, logging, ssl, typing"], check=True)
    return max(1.0, (time.monotonic() - began) / START_SECONDS)


def eventually(look: Callable[[], T], what: str = "the condition", seconds: float = PATIENCE) -> T:
    """What ``look`` returns once it is true; AssertionError with its last answer when it never is. For what another
    process does, unannounced."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; last seen: {found!r}")
        time.sleep(0.01)


async def until(met: Callable[[], object], seconds: float = PATIENCE, why: str = "") -> None:
    """Like ``eventually``, for a coroutine."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, why or f"not met within {seconds:g} s"
        await asyncio.sleep(0.005)
