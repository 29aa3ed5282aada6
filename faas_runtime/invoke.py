"""From a request's body to the handler and from its result to an answer.

`compile_sync` and `compile_async` look at the handler's shape once and give back one function of a call; what they
return never raises for anything the handler does.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from faas_runtime.call import Call
from faas_runtime.cloudevents import CloudEvent, event_document, read_event
from faas_runtime.context import Context, Function
from faas_runtime.errors import CallError
from faas_runtime.limits import MAX_MESSAGE_TEXT
from faas_runtime.response import Response, answer, error_answer, json_answer


class Codec(msgspec.Struct, frozen=True):
    """How JSON is read and written: the runtime's msgspec, or the one that the function's archive brings."""

    decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
    encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


class Handler(msgspec.Struct, frozen=True):
    """A loaded handler: ``reads`` is json, bytes, text or cloudevent; ``kind`` is sync, async or asgi."""

    target: Callable[..., Any]
    kind: str
    reads: str
    wants_context: bool
    codec: Codec


def compile_sync(handler: Handler, function: Function) -> Callable[[Call], bytes]:
    """A function that runs one call of a ``def`` handler to its answer, on the calling thread."""
    target, wants_context = handler.target, handler.wants_context
    read, write = _reader(handler), _writer(handler.codec)

    def run(call: Call) -> bytes:
        try:
            event = read(call)
            result = target(event, Context(function, call)) if wants_context else target(event)
            return write(result, call.started)
        except CallError as error:
            return error_answer(error.status, error.code, error.message)
        except BaseException as error:  # SystemExit too: the worker goes on
            return _failed(error, call)

    return run


def compile_async(handler: Handler, function: Function) -> Callable[[Call], Awaitable[bytes]]:
    """As `compile_sync` for an ``async def`` handler; a cancellation by timeout ends as an answer nobody reads."""
    target, wants_context = handler.target, handler.wants_context
    read, write = _reader(handler), _writer(handler.codec)

    async def run(call: Call) -> bytes:
        try:
            event = read(call)
            result = await (target(event, Context(function, call)) if wants_context else target(event))
            return write(result, call.started)
        except CallError as error:
            return error_answer(error.status, error.code, error.message)
        except BaseException as error:  # as above; a cancelled call has had its answer
            return b"" if call.expired else _failed(error, call)

    return run


def failure_answer(error: BaseException) -> bytes:
    """What a caller is told of an exception: its type and text, bounded, never a traceback."""
    if isinstance(error, SystemExit):
        code = "" if error.code is None else f" with {error.code!r}"
        return error_answer(500, "handler_exited", f"the handler called sys.exit{code}"[:MAX_MESSAGE_TEXT])
    try:
        text = str(error)
    except Exception as second:
        text = f"(its text cannot be shown: {type(second).__name__})"
    name = type(error).__name__
    return error_answer(500, "handler_failed", f"{name}: {text}"[:MAX_MESSAGE_TEXT] if text else name)


def log_failure(error: BaseException, call: Call) -> None:
    """Write the traceback to the Pod's log, from the author's first frame on."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_globals.get("__package__") == __package__:
        frames = frames.tb_next
    try:
        lines = traceback.format_exception(type(error), error, frames)
    except Exception as second:  # an exception class whose __str__ or __cause__ is broken
        lines = [f"{type(error).__name__} (its traceback cannot be shown: {type(second).__name__})\n"]
    call_id = (call.header(b"faas-id") or b"-").decode("latin-1")
    with contextlib.suppress(OSError, ValueError):  # a stream that the function has closed
        sys.stderr.write(f"faas: call {call_id} failed\n{''.join(lines)}")


def _failed(error: BaseException, call: Call) -> bytes:
    log_failure(error, call)
    return failure_answer(error)


def _reader(handler: Handler) -> Callable[[Call], Any]:
    decode = handler.codec.decode

    def read_json(call: Call) -> Any:
        body = call.body
        if not body:
            return None
        try:
            return decode(body)
        except Exception as error:  # the codec may be another msgspec with classes of its own
            raise CallError(400, "bad_request", f"the body is not JSON: {error}") from None

    def read_text(call: Call) -> str:
        try:
            return call.body.decode()
        except UnicodeDecodeError as error:
            raise CallError(400, "bad_request", f"the body is not UTF-8 text: {error}") from None

    def read_bytes(call: Call) -> bytes:
        return call.body

    def read_cloudevent(call: Call) -> CloudEvent:
        return read_event(call.headers, call.body)

    return {"json": read_json, "text": read_text, "bytes": read_bytes, "cloudevent": read_cloudevent}[handler.reads]


def _writer(codec: Codec) -> Callable[[Any, float], bytes]:
    encode = codec.encode

    def as_json(value: Any) -> bytes:
        try:
            return encode(value)
        except Exception as error:
            if inspect.iscoroutine(value):
                value.close()  # it was never awaited; say so once, in the answer
            hint = "; an async handler must be defined with async def" if inspect.isawaitable(value) else ""
            message = f"the handler's result cannot be encoded as JSON: {error}{hint}"
            raise CallError(500, "result_not_encodable", message[:MAX_MESSAGE_TEXT]) from None

    def write_bytes(value: Any, started: float) -> bytes:
        return answer(200, "application/octet-stream", (), bytes(value), started)

    def write_text(value: str, started: float) -> bytes:
        return answer(200, "text/plain; charset=utf-8", (), _utf8(value), started)

    def write_event(value: CloudEvent, started: float) -> bytes:
        return answer(200, "application/cloudevents+json", (), as_json(event_document(value)), started)

    def write_response(value: Response, started: float) -> bytes:
        default, body = _body(value.body, as_json)
        headers = [(name.encode(), text.encode("latin-1")) for name, text in value.headers.items()]
        own_type = next((text for name, text in value.headers.items() if name.lower() == "content-type"), None)
        content_type = "" if own_type is not None and value.content_type is None else value.content_type or default
        if content_type:
            headers = [pair for pair in headers if pair[0].lower() != b"content-type"]
        return answer(value.status, content_type, headers, body, started)

    special: dict[type, Callable[[Any, float], bytes]] = {
        bytes: write_bytes,
        bytearray: write_bytes,
        memoryview: write_bytes,
        str: write_text,
        CloudEvent: write_event,
        Response: write_response,
    }

    def write(result: Any, started: float) -> bytes:
        chosen = special.get(type(result))
        if chosen is None and isinstance(result, Response):
            chosen = write_response
        return json_answer(as_json(result), started) if chosen is None else chosen(result, started)

    return write


def _body(value: Any, as_json: Callable[[Any], bytes]) -> tuple[str, bytes]:
    """The default content type and the bytes of a Response's body."""
    if value is None:
        return "", b""
    if isinstance(value, bytes | bytearray | memoryview):
        return "application/octet-stream", bytes(value)
    if isinstance(value, str):
        return "text/plain; charset=utf-8", _utf8(value)
    return "application/json", as_json(value)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise CallError(500, "result_not_encodable", f"the handler's text is not Unicode: {error}") from None
