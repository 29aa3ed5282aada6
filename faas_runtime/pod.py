"""The Pod's entry point: environment in, exit code out."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sys
from pathlib import Path

from faas_runtime.errors import StartupError
from faas_runtime.limits import MAX_CONNECTIONS
from faas_runtime.listener import listen
from faas_runtime.parent import Parent
from faas_runtime.settings import read_settings

_DEFAULT_TERMINATION_LOG = "/dev/termination-log"
_TERMINATION_LOG_LIMIT = 4000  # the kubelet shows the last 4,096 bytes


def main() -> int:
    """Serve the function that the environment describes, until SIGTERM; the exit code of the Pod."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    termination_log = os.environ.get("TERMINATION_LOG")  # read before user code can change it
    # Made by the worker if it is needed at all, removed here.
    workspace = Path(os.environ.get("TMPDIR") or "/tmp", f"faas-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        settings = read_settings(os.environ)
        _raise_descriptor_limit()
        listener = listen(settings.host, settings.port)
        fatal = Parent(settings, listener, workspace).run()
    except StartupError as error:
        fatal = error.reason
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
    return 0 if fatal is None else _give_up(fatal, termination_log)


def _give_up(reason: str, termination_log: str | None) -> int:
    """Say why the Pod cannot run: the last line of the log, and the container's termination message."""
    line = f"faas: cannot start: {reason}"
    print(line, file=sys.stderr, flush=True)
    path = termination_log or _DEFAULT_TERMINATION_LOG
    if termination_log or os.access(path, os.W_OK):
        # The log has the reason already; a termination log that cannot be written takes nothing away.
        with contextlib.suppress(OSError), open(path, "wb") as file:
            file.write(reason.encode("utf-8", "replace")[:_TERMINATION_LOG_LIMIT])
    return 1


def _raise_descriptor_limit() -> None:
    """Many systems start a process with a soft limit of 1,024, which the connections of one router may exceed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MAX_CONNECTIONS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        wanted = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
