"""The kubelet's client of the forkserver, with a real forkserver."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from cli.local.kubelet import procfs
from cli.local.kubelet.addresses import free_address
from cli.local.kubelet.forkclient import ForkFailed, ForkServer
from cli.local.kubelet.processes import ExitStatus, Process
from tests.support.patience import until

COMMAND = [sys.executable, "-m", "faas_runtime.forkserver"]
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])}


def function_environment(code: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOST": free_address((), [8080]), "PORT": "8080", "FAAS_NAMESPACE": "default",
        "FAAS_FUNCTION": "f", "FAAS_REVISION": "f-1", "FAAS_HANDLER": "main:handle", "FAAS_TIMEOUT_MS": "1000",
        "FAAS_CONCURRENCY": "1", "FAAS_SOURCE_INLINE": json.dumps({"main.py": code}),
    }  # fmt: skip


@contextlib.asynccontextmanager
async def running(directory: Path, command: list[str] = COMMAND) -> AsyncIterator[ForkServer]:
    forks = ForkServer(command, directory, ENVIRONMENT)
    task = asyncio.ensure_future(forks.run())
    try:
        async with asyncio.timeout(60):
            yield forks
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def drive(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


@pytest.fixture
def mark() -> int:
    return procfs.mark_of(f"fork-{os.getpid()}-{time.monotonic_ns()}", "main")


def test_forked_pods_bear_their_mark_and_their_end_is_reported(tmp_path: Path, mark: int) -> None:
    async def work() -> None:
        async with running(tmp_path) as forks:
            environment = function_environment("def handle(event): return event\n")
            pid = await forks.fork(environment, tmp_path, tmp_path / "log", mark)
            assert procfs.read_mark(pid) == mark
            assert procfs.read_mark(forks.pid) == 0
            await until(lambda: os.getsid(pid) == pid)
            process = Process(pid, ask_exit=lambda: forks.exit_status(pid))
            process.send(signal.SIGKILL)
            assert await process.wait() == ExitStatus(0, 9)
            process.close()

    drive(work)


def test_what_the_forkserver_refuses_is_said(tmp_path: Path, mark: int) -> None:
    async def work() -> None:
        async with running(tmp_path) as forks:
            with pytest.raises(ForkFailed, match="none"):
                await forks.fork({}, tmp_path / "none", tmp_path / "log", mark)
            assert procfs.read_mark(forks.pid) == 0

    drive(work)


def test_a_killed_forkserver_is_replaced_and_its_pods_go_on(tmp_path: Path, mark: int) -> None:
    async def work() -> None:
        async with running(tmp_path) as forks:
            environment = function_environment("def handle(event): return event\n")
            pid = await forks.fork(environment, tmp_path, tmp_path / "log", mark)
            process, first = Process(pid, ask_exit=lambda: forks.exit_status(pid)), forks.pid
            os.kill(first, signal.SIGKILL)
            other = procfs.mark_of("other", str(mark))
            while True:
                try:
                    second = await forks.fork(
                        function_environment("def handle(event): return event\n"), tmp_path, tmp_path / "log", other
                    )
                    break
                except ForkFailed:  # the connection had not yet noticed
                    continue
            assert forks.pid != first
            assert procfs.alive(pid, process.started)
            assert procfs.alive(second, procfs.start_time(second))
            procfs.kill_marked(other)
            procfs.kill_marked(mark)
            assert await process.wait() == ExitStatus(255, known=False)
            process.close()

    drive(work)


def test_a_command_that_is_no_forkserver_is_tried_again(tmp_path: Path, mark: int) -> None:
    script = f"import pathlib; pathlib.Path({str(tmp_path / 'tries')!r}).open('a').write('x')"

    async def work() -> None:
        async with running(tmp_path, [sys.executable, "-S", "-c", script]) as forks:
            tries = tmp_path / "tries"
            await until(lambda: tries.exists() and len(tries.read_text()) >= 3)
            assert not forks.pid or procfs.read_mark(forks.pid) == 0

    drive(work)


def test_a_path_too_long_for_a_socket(tmp_path: Path, mark: int) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()

    async def work() -> None:
        async with running(deep) as forks:
            pid = await forks.fork(function_environment("handle = print\n"), deep, deep / "log", mark)
            assert procfs.read_mark(pid) == mark
            procfs.kill_marked(mark)

    drive(work)


def test_a_forkserver_without_an_owner_ends(tmp_path: Path) -> None:
    """Its kubelet was killed before it could connect."""
    script = "import faas_runtime.forkserver as f, sys; f.OWNERLESS_SECONDS = 0.2; sys.exit(f.main())"
    command = [sys.executable, "-c", script, "--socket", str(tmp_path / "s")]
    assert subprocess.run(command, env=ENVIRONMENT, timeout=30, check=False).returncode == 0
