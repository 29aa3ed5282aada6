"""The little HTTP that the handlers need above ASGI: requests read, responses written."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from cli.local.apiserver import errors

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_LIMIT = 3 * 1024 * 1024  # the real API server's limit for a request
BODY_SECONDS = 30.0  # a client that stalls in the middle of a body must not hold its connection for ever
_JSON = b"application/json"


def decode_yaml(body: bytes) -> dict[str, Any]:
    """Decode a YAML object. Raises ValueError when it is none."""
    import yaml  # 15 ms that a start does not need: kubectl sends JSON

    try:
        return msgspec.convert(yaml.safe_load(body), dict[str, Any])
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ValueError(str(error)) from None


def check_metadata(obj: dict[str, Any]) -> None:
    """Raise a 400 StatusError when `metadata` is there and no object: everything else takes it for one."""
    if not isinstance(obj.get("metadata"), dict | None):
        message = "the object provided is unrecognized: its metadata must be an object"
        raise errors.bad_request(message)


class Request(msgspec.Struct):
    """One request; the body is read by `read_body`."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[bytes, bytes]
    receive: Receive
    send: Send
    started: bool = False  # whether the head of the response has been sent

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head of the response."""
        self.started = True
        await self.send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, body: bytes, *, last: bool = False) -> None:
        """Send a part of the body."""
        await self.send({"type": "http.response.body", "body": body, "more_body": not last})

    def header(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1")

    @property
    def content_type(self) -> str:
        return self.header(b"content-type").partition(";")[0].strip().lower()

    async def read_body(self) -> bytes:
        """The whole body. Raises a StatusError: 413 over the limit, 408 when it does not arrive in time."""
        length = self.headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > BODY_LIMIT:
            raise errors.too_large_body(BODY_LIMIT)
        chunks: list[bytes] = []
        size, more = 0, True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more:
                    message = await self.receive()
                    if message["type"] == "http.disconnect":
                        raise errors.bad_request("the connection was closed before the body was complete")
                    chunks.append(message.get("body", b""))
                    size += len(chunks[-1])
                    if size > BODY_LIMIT:
                        raise errors.too_large_body(BODY_LIMIT)
                    more = message.get("more_body", False)
        except TimeoutError:
            raise errors.StatusError(408, "Timeout", f"the body did not arrive within {BODY_SECONDS:.0f} s") from None
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class Response(msgspec.Struct):
    """A complete response."""

    body: bytes
    status: int = 200
    content_type: bytes = _JSON
    headers: Sequence[tuple[bytes, bytes]] = ()


def make_request(scope: Scope, receive: Receive, send: Send) -> Request:
    raw: bytes = scope["query_string"]
    query = dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True)) if raw else {}
    return Request(scope["method"], scope["path"], query, dict(scope["headers"]), receive, send)


def json_response(obj: Any, status: int = 200, content_type: bytes = _JSON) -> Response:
    return Response(msgspec.json.encode(obj), status, content_type)


def error_response(error: errors.StatusError) -> Response:
    headers = [(name.encode(), value.encode()) for name, value in error.headers]
    return Response(error.body(), error.code, headers=headers)


def warning_headers(warnings: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """RFC 7234 `Warning: 299` headers, which kubectl prints."""
    quoted = (warning.replace("\\", "\\\\").replace('"', '\\"') for warning in warnings)
    return [(b"warning", f'299 - "{text}"'.encode("latin-1", "replace")) for text in quoted]


async def respond(request: Request, response: Response) -> None:
    body = b"" if request.method == "HEAD" else response.body
    headers = [
        (b"content-type", response.content_type),
        (b"content-length", str(len(response.body)).encode()),
        (b"cache-control", b"no-cache, private"),
        *response.headers,
    ]
    await request.start(response.status, headers)
    await request.write(body, last=True)
