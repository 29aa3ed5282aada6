"""HTTP to the gateway. One connection, used again; every failure is a Failure that says what to do.

The standard library's client: a hand-written one for plain HTTP would save 10 of the 140 ms of ``faas execute``
(benchmarks/cli_start.py), not worth a second implementation of HTTP.
"""

import http.client
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, NamedTuple, Self

import msgspec

from cli.output import Failure
from cli.target import START_HINT, Target
from services.contracts.errors import Code, ErrorBody, Exit, exit_code

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
"""How long the gateway may take for its own answers; calls of functions have their own limit."""
_BROKEN = (http.client.RemoteDisconnected, http.client.IncompleteRead, ConnectionResetError, BrokenPipeError)
_HINTS = {
    Code.UNAUTHORIZED: "set FAAS_TOKEN to a token that this gateway knows",
    Code.FORBIDDEN: "FAAS_TOKEN needs a token for this namespace; without tokens, ask the gateway by its loopback name",
    Code.FUNCTION_NOT_FOUND: "faas list -A shows what is deployed",
    Code.WORKFLOW_NOT_FOUND: "deploy it first: faas deploy MANIFEST",
    Code.WORKFLOW_NOT_ACCEPTED: "faas workflow definitions NAMESPACE/NAME says what is wrong with it",
    Code.RUN_NOT_FOUND: "faas workflow list shows the runs of a namespace",
    Code.NO_WORKFLOW_SERVICE: "faas status shows which parts of the platform run",
    Code.NO_ROUTER: "faas status shows which parts of the platform run",
    Code.BUS_UNAVAILABLE: "faas status shows which parts of the platform run",
    Code.API_UNAVAILABLE: "faas status shows which parts of the platform run",
}


class Answer(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def error(self) -> ErrorBody:
        """The error that it carries; a body of another form becomes its message, shortened."""
        try:
            return msgspec.json.decode(self.body, type=ErrorBody)
        except msgspec.DecodeError:
            text = self.body[:500].decode(errors="replace").strip()
            message = text or http.client.responses.get(self.status, "no message")
            return ErrorBody(self.headers.get("Faas-Error", ""), message)

    def exit_code(self) -> int:
        """The exit code of the command line for it."""
        return exit_code(self.status, self.error().code if self.status >= 400 else None)

    def hint(self) -> str:
        """What to do about it; empty when there is nothing to say."""
        return _HINTS.get(Code(code)) or "" if (code := self.error().code) in Code.__members__.values() else ""


class Refused(Failure):
    """The gateway's refusal of a request, with its HTTP status and stable code."""

    def __init__(self, answer: Answer) -> None:
        error = answer.error()
        message = f"{error.message} ({error.code})" if error.code else f"{error.message} (HTTP {answer.status})"
        super().__init__(message, answer.hint(), answer.exit_code(), error.details)
        self.status = answer.status
        self.code = error.code
        told = answer.headers.get("Retry-After", "")
        self.retry_after = float(told) if told.isdecimal() else None
        """Seconds after which the gateway wants to be asked again, when it says so."""


class Gateway:
    """A connection to the gateway. Use as a context manager; not for several threads."""

    def __init__(self, target: Target) -> None:
        self.target = target
        kind = http.client.HTTPSConnection if target.url.scheme == "https" else http.client.HTTPConnection
        host = target.url.hostname or ""
        self._connection = kind(host, target.url.port, timeout=CONNECT_SECONDS, blocksize=1024 * 1024)
        self._headers = {"Authorization": f"Bearer {target.token}"} if target.token else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        """The JSON document at ``path``. Raises Refused, or Failure when there is no answer."""
        body = self.ask("GET", path).body
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise _no_gateway(self.target.address, error) from None

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """A request that may be repeated. Raises Refused from status 400 on, Failure when there is no answer."""
        answer = self.send(method, path, body, headers or {}, seconds, repeat=True)
        if answer.status >= 400:
            raise Refused(answer)
        return answer

    def send(
        self,
        method: str,
        path: str,
        body: bytes | IO[bytes] | None,
        headers: Mapping[str, str],
        seconds: float,
        repeat: bool = False,
    ) -> Answer:
        """One request and whatever is answered within ``seconds``. Raises Failure when nothing is.

        With ``repeat`` it is sent once more when the kept connection turns out to be closed; without, it never
        reaches the gateway twice.
        """
        with self._explained(seconds):
            try:
                return self._exchange(method, path, body, headers, seconds)
            except _BROKEN:
                if not repeat or (body is not None and not isinstance(body, bytes)):
                    raise
                self._connection.close()
                return self._exchange(method, path, body, headers, seconds)

    def lines(self, path: str, follow: bool = False, seconds: float | None = None) -> Iterator[bytes]:
        """The lines of a streamed answer as they come; those of the first ``seconds``, when a number is given.

        With ``follow`` there may be silence for as long as the peer lives. Raises like ``ask``.
        """
        with self._explained(ANSWER_SECONDS):
            response = self._begin("GET", path, None, {}, ANSWER_SECONDS)
            if response.status >= 400:
                raise Refused(Answer(response.status, response.headers, response.read()))
        end = None if seconds is None else time.monotonic() + seconds
        self._socket.settimeout(None if follow else ANSWER_SECONDS)
        pending = b""
        try:
            while piece := self._piece(response, end):
                *lines, pending = (pending + piece).split(b"\n")
                for line in lines:
                    yield line + b"\n"
            if pending:
                yield pending
        finally:
            response.close()
            self._connection.close()

    def _piece(self, response: http.client.HTTPResponse, end: float | None) -> bytes:
        """What comes next of a stream; empty at its end, or at the moment ``end``."""
        if end is not None:
            if (left := end - time.monotonic()) <= 0:
                return b""
            self._socket.settimeout(left)
        with self._explained(ANSWER_SECONDS):
            try:
                return response.read1(65536)  # not readline, which takes a broken stream for a complete one
            except TimeoutError:
                if end is None:
                    raise
                return b""

    def _exchange(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: Mapping[str, str], seconds: float
    ) -> Answer:
        response = self._begin(method, path, body, headers, seconds)
        return Answer(response.status, response.headers, response.read())

    def _begin(
        self, method: str, path: str, body: bytes | IO[bytes] | None, headers: Mapping[str, str], seconds: float
    ) -> http.client.HTTPResponse:
        if self._connection.sock is None:
            self._connect()
        self._socket.settimeout(seconds)
        try:
            self._connection.request(
                method, self.target.url.path.rstrip("/") + path, body, {**self._headers, **headers}
            )
        except (BrokenPipeError, ConnectionResetError):
            if body is None:
                raise
            # a body can be refused (401, 413 …) before all of it is sent: its answer is there to be read
        return self._connection.getresponse()

    def _connect(self) -> None:
        self._connection.timeout = CONNECT_SECONDS
        self._connection.connect()
        self._socket: socket.socket = self._connection.sock  # the connection forgets it when an answer is its last
        _notice_dead_peers(self._socket)

    @contextmanager
    def _explained(self, seconds: float) -> Iterator[None]:
        address = self.target.address
        try:
            yield
        except TimeoutError:
            if self._connection.sock is None:
                message = f"the gateway {address} cannot be reached: no answer within {CONNECT_SECONDS:g} s"
                raise Failure(message, START_HINT, Exit.UNAVAILABLE) from None
            raise Failure(f"the gateway {address} gave no answer within {seconds:g} s", "", Exit.TIMED_OUT) from None
        except _BROKEN:
            message = (
                f"the gateway {address} broke off the connection before its answer: what was asked may have happened"
            )
            raise Failure(message, "", Exit.FAILED) from None
        except http.client.HTTPException as error:
            raise _no_gateway(address, error) from None
        except OSError as error:
            reason = error.strerror or str(error)
            message = f"the gateway {address} cannot be reached: {reason}"
            raise Failure(message, START_HINT, Exit.UNAVAILABLE) from None


def _no_gateway(address: str, error: Exception) -> Failure:
    message = f"{address} does not answer as a gateway does: {str(error)[:80].strip() or type(error).__name__}"
    return Failure(message, "is it the right address?", Exit.UNAVAILABLE)


def _notice_dead_peers(connection: socket.socket) -> None:
    """A host that vanished is noticed after about 45 s of silence, also where no deadline stands."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
