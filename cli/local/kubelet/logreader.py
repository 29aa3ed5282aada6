"""Reading a container's log as `kubectl logs` asks for it: tail, since, timestamps, limit, follow.

Source: API reference, PodLogOptions.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cli.local.kubelet.logs import LineTimes, data_start

_CHUNK = 64 * 1024
FOLLOW_SECONDS = 0.05
"""How often a followed file is looked at: unnoticeable to a reader, 20 stats a second to the kubelet."""


class LogQuery(msgspec.Struct, kw_only=True):
    """What is asked for; `since` is a time (seconds since the epoch), 0: from the beginning."""

    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: float = 0.0
    limit_bytes: int | None = None


class InvalidQuery(ValueError):
    """A parameter that can't be used; the message names it."""


def parse_query(parameters: dict[str, str], now: float) -> LogQuery:
    """The query in URL parameters. Raises InvalidQuery."""
    since = 0.0
    if (seconds := _number(parameters, "sinceSeconds")) is not None:
        since = now - seconds
    if text := parameters.get("sinceTime"):
        try:
            # a microsecond less: a line's own time, as it is shown, may be rounded up to the next
            since = datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() - 1e-6
        except ValueError:
            raise InvalidQuery(f"sinceTime: {text!r} is not an RFC 3339 time") from None
    return LogQuery(
        follow=_flag(parameters, "follow"),
        previous=_flag(parameters, "previous"),
        timestamps=_flag(parameters, "timestamps"),
        tail_lines=_number(parameters, "tailLines"),
        since=since,
        limit_bytes=_number(parameters, "limitBytes"),
    )


def _flag(parameters: dict[str, str], name: str) -> bool:
    return parameters.get(name, "").lower() in ("1", "true", "t")


def _number(parameters: dict[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if not text:
        return None
    if not text.isdigit():
        raise InvalidQuery(f"{name}: {text!r} is not a number of 0 or more")
    return int(text)


async def read_log(
    path: Path, query: LogQuery, observe: Callable[[], None], ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """The log's text in chunks of whole lines. With `follow` it goes on until `ended()`; `observe` notes new lines'
    times.

    Raises FileNotFoundError when the container has not written a log.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        left = query.limit_bytes
        async for chunk in _lines(descriptor, path, query, observe, ended):
            if left is None:
                yield chunk
                continue
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return
    finally:
        os.close(descriptor)


async def _lines(
    descriptor: int, path: Path, query: LogQuery, observe: Callable[[], None], ended: Callable[[], bool]
) -> AsyncIterator[bytes]:
    observe()
    offset, pending = _tail_start(descriptor, query.tail_lines), b""
    while True:
        last = ended()  # before the read: what was written before the end is read after it
        while chunk := os.pread(descriptor, _CHUNK, offset + len(pending)):
            whole, newline, rest = (pending + chunk).rpartition(b"\n")
            if newline and (text := _rendered(whole + newline, offset, path, query)):
                yield text
            offset, pending = offset + len(whole) + len(newline), rest
            await asyncio.sleep(0)
        if last or not query.follow:
            if pending and (text := _rendered(pending, offset, path, query)):
                yield text
            return
        await asyncio.sleep(FOLLOW_SECONDS)
        size = os.fstat(descriptor).st_size
        if size < offset:  # cut to nothing by a rotation
            offset, pending = 0, b""
        if size > offset + len(pending):
            observe()


def _rendered(text: bytes, offset: int, path: Path, query: LogQuery) -> bytes:
    if not query.timestamps and not query.since:
        return text
    times, now, found = LineTimes(path), time.time(), []
    for line in text.splitlines(keepends=True) if b"\r" not in text else _split(text):
        when = times.at(offset) or now
        offset += len(line)
        if when >= query.since:
            found.append((_stamp(when) + line) if query.timestamps else line)
    return b"".join(found)


def _split(text: bytes) -> list[bytes]:
    """Lines end at \\n alone; bytes.splitlines would end them at a progress bar's \\r as well."""
    return [line + b"\n" for line in text.split(b"\n")[:-1]] + ([last] if (last := text.rpartition(b"\n")[2]) else [])


def _stamp(seconds: float) -> bytes:
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z ".encode()


def _tail_start(descriptor: int, lines: int | None) -> int:
    """Where the last `lines` lines begin."""
    first = data_start(descriptor)
    if lines is None:
        return first
    end = position = os.fstat(descriptor).st_size
    if lines == 0 or end == first:
        return end
    wanted = lines + (os.pread(descriptor, 1, end - 1) == b"\n")  # the newline at the very end ends a line, begins none
    while position > first:
        begin = max(first, position - _CHUNK)
        block = os.pread(descriptor, position - begin, begin)
        count = block.count(b"\n")
        if count >= wanted:
            cut = len(block)
            for _ in range(wanted):
                cut = block.rfind(b"\n", 0, cut)
            return begin + cut + 1
        wanted, position = wanted - count, begin
    return first
