"""A web server in this process for services that are other processes; what it answers changes as a test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]


class Site(dict[str, Any]):
    """What a web server answers by path: a value as JSON, bytes, or what a function makes of the request's headers."""

    url = ""
    """Of the server."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def answer(self, path: str, headers: Any) -> Answer:
        """Status and body. A number is a status without a body; what is not there is 404."""
        self.asked.append(path)
        found = self.get(path)
        if callable(found):
            found = found(headers)
        if isinstance(found, int) and not isinstance(found, bool):
            return found, b""
        if path not in self:
            return 404, b""
        return 200, found if isinstance(found, bytes) else json.dumps(found).encode()


@contextmanager
def serving() -> Iterator[Site]:
    """A server on loopback, in threads."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = site.answer(self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
