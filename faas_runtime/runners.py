"""Where `async def` handlers and ASGI applications run: as tasks on the loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from faas_runtime.call import Call

Finish = Callable[[Call, bytes], None]


class TaskRunner:
    """Runs a coroutine function per call as a task of the loop; the call can be cancelled."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run: Callable[[Call], Awaitable[bytes]], finish: Finish
    ) -> None:
        self._loop = loop
        self._run = run
        self._finish = finish

    def start(self, call: Call) -> None:
        """Start the call's task; the dispatcher owns it through ``call.cancel`` and hears of its end by `finish`."""
        task = self._loop.create_task(self._serve(call))
        call.cancel = task.cancel

    async def _serve(self, call: Call) -> None:
        answer = b""
        try:
            answer = await self._run(call)
        finally:  # also when it is cancelled before its first step
            self._finish(call, answer)

    def run_until(self, serving: asyncio.Future[None]) -> None:
        """Run the loop until ``serving`` is done."""
        while not serving.done():
            with contextlib.suppress(SystemExit):  # a task of the author's that calls sys.exit ends itself alone
                self._loop.run_until_complete(serving)
