"""What a worker process does: requests in, answers out, one after another, under limits that the kernel keeps.

A request that uses more processor time than it may is ended by SIGPROF, one that uses more memory by jq's abort or by
the exit code OUT_OF_MEMORY; the service then finds in the notes what was being evaluated.
"""

import os
import resource
import signal
import socket
import traceback
from io import IOBase
from pathlib import Path

import msgspec

from services.workflow import expressions
from services.workflow.worker import protocol as p
from services.workflow.worker.checking import check
from services.workflow.worker.framing import framed, size_of
from services.workflow.worker.guard import Guard
from services.workflow.worker.held import Memory
from services.workflow.worker.notes import Notes
from services.workflow.worker.stepping import Stepper

OUT_OF_MEMORY = 70
"""Exit code of a worker that Python told it has no memory left."""
CHECK_BUDGET = 10
"""How many times the time of an evaluation the check of a definition may take: it compiles hundreds of programs."""


class Limits(msgspec.Struct, frozen=True):
    """Of one worker. ``time``: seconds on the processor per evaluation; ``memory``: bytes of address space beyond what
    a fresh worker has; ``runs`` and ``states``: how many states of runs it remembers, and their bytes as JSON together,
    which are about a fifth of what they take in memory."""

    time: float = 1.0
    memory: int = 512 * 1024 * 1024
    runs: int = 2000
    states: int = 32 * 1024 * 1024


def _allow(seconds: float) -> None:
    """From now on, so many seconds of processor time; 0: without a bound."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


class Worker:
    """Answers requests."""

    def __init__(self, notes: Notes, limits: Limits) -> None:
        self._notes, self._limits = notes, limits
        self._memory = Memory(limits.runs, limits.states)
        self._stepper = Stepper(self._memory, notes, self._allow_one)

    def _allow_one(self) -> None:
        _allow(self._limits.time)

    def answer(self, request: p.Request) -> p.Answer | None:
        """The answer; None for a request that has none."""
        if isinstance(request, p.Step):
            return self._stepper.step(request)
        if isinstance(request, p.Look):
            return self._stepper.look(request)
        if isinstance(request, p.Forget):
            self._memory.take(request.run)
            return None
        if isinstance(request, p.Check):
            _allow(self._limits.time * CHECK_BUDGET)
            return p.Checked(check(request.document))
        return self._evaluate(request)

    def _evaluate(self, request: p.Evaluate) -> p.Evaluated:
        data, arguments = msgspec.json.decode(request.data), msgspec.json.decode(request.arguments)
        guard = Guard(self._notes, self._allow_one, [])
        try:
            value = guard.evaluate(request.expression, data, arguments, request.now)
        except expressions.ExpressionError as error:
            return p.Evaluated(b"", str(error))
        return p.Evaluated(msgspec.json.encode(value), "")


def serve(connection: socket.socket, notes: Notes, limits: Limits) -> None:
    """Answers until the service closes the connection, which ending does too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the service drains first, and closes
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = _address_space() + limits.memory
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    worker, decode = Worker(notes, limits), msgspec.msgpack.Decoder(p.Request).decode
    encode = msgspec.msgpack.Encoder().encode
    with connection, connection.makefile("rb", buffering=256 * 1024) as stream:
        while body := _next(stream):
            notes.tick(True)
            try:
                answer = _answered(worker, decode(body))
                if answer is not None:
                    connection.sendall(framed(encode(answer)))
            except MemoryError:
                os._exit(OUT_OF_MEMORY)
            except (BrokenPipeError, ConnectionResetError):
                return
            notes.tick(False)


def _address_space() -> int:
    """Bytes that this process has mapped."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _next(stream: IOBase) -> bytes:
    """The next request; empty when the service is gone, in whichever way."""
    try:
        head = stream.read(4)
        return bytes(stream.read(size_of(head))) if len(head) == 4 else b""
    except ConnectionResetError:
        return b""


def _place(error: Exception) -> str:
    """The kind of an error and where it came from. Not its text, which may have a run's data, or a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at {' < '.join(f'{frame.name}:{frame.lineno}' for frame in reversed(frames[-4:]))}"


def _answered(worker: Worker, request: p.Request) -> p.Answer | None:
    """The answer; Failed for a defect of ours, which must not end what others' runs need."""
    try:
        return worker.answer(request)
    except MemoryError:
        raise
    except Exception as error:
        return p.Failed(f"a defect of the workflow engine: {_place(error)}")
    finally:
        _allow(0)
