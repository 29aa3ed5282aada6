"""The two kinds of failure: of a call (answered to the caller) and of the start (ends the Pod)."""

from __future__ import annotations


class CallError(Exception):
    """A call that is answered with an error.

    ``code`` is the stable code of the runtime contract (docs/reference/runtime.md), ``status`` its HTTP status,
    ``message`` what the caller reads: never a traceback.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class StartupError(Exception):
    """The function cannot be served: what is wrong and where, in one line. A traceback is logged, never part of it."""

    @property
    def reason(self) -> str:
        """The message on one line, as it goes to stderr and to the termination log."""
        return " ".join(str(self).split())
