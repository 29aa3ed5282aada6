"""What a handler may ask about its call."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faas_runtime.call import Call


class Function:
    """Names of the running function, the same for every call."""

    __slots__ = ("name", "namespace", "revision")

    def __init__(self, namespace: str, name: str, revision: str) -> None:
        self.namespace = namespace
        self.name = name
        self.revision = revision


class Context:
    """The second argument of ``handle(event, context)``.

    Attributes: ``id`` (of the call, the same in events and logs), ``namespace``, ``function``, ``revision``,
    ``deadline`` (time.monotonic() seconds by which the call must end), ``traceparent`` (W3C Trace Context, or None),
    ``headers`` (lower-case names; repeated ones joined with ", "), ``method``, ``path`` and ``query`` (as received).
    """

    __slots__ = ("_headers", "_id", "_pairs", "_target", "deadline", "function", "method", "namespace", "revision")

    def __init__(self, function: Function, call: Call) -> None:
        self.namespace = function.namespace
        self.function = function.name
        self.revision = function.revision
        self.deadline = call.deadline
        self.method = call.method.decode("latin-1")
        self._pairs = call.headers
        self._target = call.target
        self._headers: dict[str, str] | None = None
        self._id = ""

    @property
    def headers(self) -> dict[str, str]:
        """The request's headers by lower-case name."""
        if self._headers is None:
            merged: dict[str, str] = {}
            for raw_name, raw_value in self._pairs:
                name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
                merged[name] = f"{merged[name]}, {value}" if name in merged else value
            self._headers = merged
        return self._headers

    @property
    def id(self) -> str:
        """The call's id: the caller's ``Faas-Id``, or a new one."""
        if not self._id:
            self._id = self.headers.get("faas-id") or os.urandom(16).hex()
        return self._id

    @property
    def traceparent(self) -> str | None:
        """The caller's trace, to be passed on in outgoing requests."""
        return self.headers.get("traceparent")

    @property
    def path(self) -> str:
        """The request's path, percent-encoded as received; ``/`` unless called through the proxy address."""
        return self._target.partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> str:
        """The query string as received, without the question mark."""
        return self._target.partition(b"?")[2].decode("latin-1")

    def remaining(self) -> float:
        """Seconds left before the call is answered with a timeout; never negative."""
        return max(0.0, self.deadline - time.monotonic())

    def log(self, message: str, **fields: object) -> None:
        """Write one line with the call's id to the Pod's log."""
        pairs = "".join(f" {name}={value!r}" for name, value in fields.items())
        print(f"{message}{pairs} call={self.id}", file=sys.stderr, flush=True)
