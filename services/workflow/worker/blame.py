"""Why a worker ended, and whether the request that it was at is asked again. Pure."""

import signal

from services.workflow.worker.protocol import Forbidden
from services.workflow.worker.serving import OUT_OF_MEMORY

DEATHS = 5
"""How often a request may meet the unexplained end of a worker before it is given up."""
_MEMORY = (OUT_OF_MEMORY, -signal.SIGABRT, -signal.SIGSEGV)
"""What Python does without memory, what jq does, and what either does at the end of its stack."""


def blame(code: int, silent: bool, evaluated: tuple[int, str], deaths: int, seconds: float) -> Forbidden | None:
    """What the request may not evaluate when it is asked again; None: it may all; number 0: it is given up.

    ``code``: the worker's exit code, negative for a signal; ``silent``: the service killed it for giving no answer;
    ``evaluated``: number and pointer of the evaluation under way, number 0 for none; ``deaths``: of workers at this
    request, this one included; ``seconds`` that it could take.
    """
    number, pointer = evaluated
    if code == -signal.SIGPROF:
        return Forbidden(number, pointer, f"took longer than {seconds:g} s")
    if silent and number:
        return Forbidden(number, pointer, "took too long")
    if code in _MEMORY and deaths > 1:  # at first the memory may have been taken by other runs
        return Forbidden(number, pointer, "took more memory than it may have")
    if number and deaths > 1:  # killed from outside: once is chance
        return Forbidden(number, pointer, "ended the process that evaluated it")
    return Forbidden(0, "", f"ended {deaths} worker processes (exit code {code})") if deaths >= DEATHS else None
