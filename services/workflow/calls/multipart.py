"""Bodies of the type multipart/form-data (RFC 7578). Pure but for the boundary, which nobody can guess."""

import base64
import binascii
import secrets
from collections.abc import Collection
from typing import Any

import msgspec

from services.workflow.calls.problems import configuration
from services.workflow.calls.values import JSON, text_of

MULTIPART = "multipart/form-data"


def is_multipart(kind: str) -> bool:
    """Whether a media type is this one."""
    return kind.partition(";")[0].strip().lower() == MULTIPART


def encoded(fields: dict[str, Any], files: Collection[str]) -> tuple[bytes, str]:
    """The body, and its content type with the boundary. A text, number or boolean is a part, an object one of JSON, a
    list one part for each item, null none; ``files`` are fields whose texts are bytes in base64. Raises CallError."""
    boundary = secrets.token_hex(24)
    made = []
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if item is not None:
                head, content = _part(name, item, name in files)
                made.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return b"".join(made) + f"--{boundary}--\r\n".encode(), f"{MULTIPART}; boundary={boundary}"


def _part(name: str, value: Any, file: bool) -> tuple[str, bytes]:
    quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")  # as HTML says, and RFC 7578 refers to
    head = f'Content-Disposition: form-data; name="{quoted}"'
    if file:
        head += f'; filename="{quoted}"\r\nContent-Type: application/octet-stream'
        return head, _bytes(value, name)
    if isinstance(value, dict | list):
        return f"{head}\r\nContent-Type: {JSON}", msgspec.json.encode(value)
    return head, text_of(value, f"body: {name}").encode()


def _bytes(value: Any, name: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise configuration(f"parameters: {name}: expected the bytes of a file in base64 (in jq: @base64)") from None
