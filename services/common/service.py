"""Start and stop of a service process: event loop, signals, one task group that owns every task."""

import asyncio
import logging
import os
import re
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import uvloop

from services.common.logging import setup
from services.common.settings import Common, InvalidSettings, load

S = TypeVar("S", bound=Common)
Main = Callable[[S, asyncio.Event], Awaitable[None]]


def run(name: str, settings_type: type[S], main: Main[S]) -> None:
    """Runs ``main(settings, stop)`` until it returns. SIGTERM and SIGINT set ``stop``; main then drains and returns.

    Exits with 2 and one line for each bad setting, with 1 when main fails.
    """
    try:
        settings = load(settings_type, os.environ)
    except InvalidSettings as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    setup(name, settings.log_level)
    log = logging.getLogger(name)

    async def supervised() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await main(settings, stop)

    try:
        uvloop.run(supervised())
    except BaseExceptionGroup as failure:
        log.error("stopped by an error", exc_info=failure)
        sys.exit(1)
    except OSError as error:  # such as an address that cannot be listened on: its text says all
        log.error("stopped: %s", error)
        sys.exit(1)


def instance_name(settings: Common) -> str:
    """The configured instance name, or the host's name and a random part as a DNS-1123 label."""
    if settings.instance:
        return settings.instance
    host = re.sub(r"[^a-z0-9-]", "-", socket.gethostname().lower())[:50].strip("-") or "host"
    return f"{host}-{secrets.token_hex(4)}"


async def wait_until(stop: asyncio.Event, seconds: float) -> bool:
    """Waits at most ``seconds`` for ``stop``; whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
