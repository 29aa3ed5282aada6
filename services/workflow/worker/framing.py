"""Messages on the socket between service and worker: a length (4 bytes, little-endian), then that many bytes."""

import struct

_SIZE = struct.Struct("<I")
LONGEST = 1 << 30
"""Bytes of a message; more is taken for a broken stream."""


class Broken(Exception):
    """What came is no message."""


def framed(body: bytes) -> bytes:
    """A message ready to be written."""
    return _SIZE.pack(len(body)) + body


def size_of(head: bytes | bytearray) -> int:
    """How many bytes follow the first four. Raises Broken."""
    size: int = _SIZE.unpack(head)[0]
    if size > LONGEST:
        raise Broken(f"a message of {size} bytes")
    return size


class Splitter:
    """Messages out of a stream of bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete now. Raises Broken."""
        buffer = self._buffer
        buffer += data
        found, start = [], 0
        while len(buffer) - start >= _SIZE.size:
            end = start + _SIZE.size + size_of(buffer[start : start + _SIZE.size])
            if len(buffer) < end:
                break
            found.append(bytes(buffer[start + _SIZE.size : end]))
            start = end
        if start:
            del buffer[:start]
        return found
