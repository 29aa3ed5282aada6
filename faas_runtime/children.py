"""Child processes that have ended."""

from __future__ import annotations

import os
from collections.abc import Iterator


def ended_children() -> Iterator[tuple[int, int]]:
    """Pid and exit code (negative: the signal that killed it) of each child that has ended and was not asked for yet.

    In the first process of a container these may be orphans that it has inherited.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)
