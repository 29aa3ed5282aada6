"""A real HTTP server that answers what a test tells it to, and keeps what it was asked: for clients of the gateway."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Say(NamedTuple):
    """An answer. With ``pieces`` the body is sent in chunks, in place of ``body``; ``cut`` breaks off after them, or
    before the end of ``body``."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed
    pieces: tuple[bytes, ...] | None = None
    cut: bool = False
    hang: bool = False
    """Nothing is answered until the server is closed."""
    linger: bool = False
    """After the pieces there is silence until the server is closed."""


Answer = Callable[[Asked], Say]


class Server:
    """Answers by ``answer``; ``asked`` are all requests so far."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    canned: Server

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = Asked(self.command, self.path, dict(self.headers.items()), self.rfile.read(length))
        self.canned.asked.append(asked)
        say = self.canned.answer(asked)
        if say.hang:
            self.canned.closing.wait(60)
            self.close_connection = True
            return
        self.send_response(say.status)
        for name, value in say.headers.items():
            self.send_header(name, value)
        if say.pieces is None:
            self.send_header("Content-Length", str(len(say.body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else say.body[:-1] if say.cut else say.body)
            self.close_connection |= say.cut
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in say.pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        if say.linger:
            self.canned.closing.wait(60)
        if say.cut or say.linger:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def canned_server(answer: Answer) -> Iterator[Server]:
    """A server on a free loopback port for as long as the context lasts."""
    canned = Server(answer)
    handler = type("Handler", (_Handler,), {"canned": canned})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    canned.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield canned
    finally:
        canned.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
