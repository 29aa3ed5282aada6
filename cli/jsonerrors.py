"""Where JSON text is wrong, in lines and columns; imported only when it is."""

import json
import re


def locate(body: bytes, found: str) -> str:
    """Line, column and what is wrong there. ``found`` is msgspec's message, used where json has nothing to say."""
    if not body.strip():
        return "line 1, column 1: there is nothing"
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        line, column = _position(body, error.start)
        return f"line {line}, column {column}: the byte 0x{body[error.start]:02x} is not UTF-8"
    try:
        json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {_plain(error, text)}"
    except _NoNumber as error:
        return str(error)
    except ValueError:
        return "a number has too many digits"
    at = re.search(r"\(byte (\d+)\)", found)
    line, column = _position(body, int(at[1]) if at else 0)
    return f"line {line}, column {column}: {found.split(' (byte')[0]}"


class _NoNumber(ValueError):
    """NaN or an infinity, which Python's json takes and JSON does not have."""


def _refuse(name: str) -> None:
    raise _NoNumber(f"{name} is not a number in JSON")


def _position(body: bytes, offset: int) -> tuple[int, int]:
    before = body[:offset].decode(errors="replace")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def _plain(error: json.JSONDecodeError, text: str) -> str:
    """json's message, with what stands there and the usual mistake behind it."""
    if error.pos >= len(text):
        return f"{error.msg}, but the text ends"
    advice = ": strings are written in double quotes" if text[error.pos] == "'" else ""
    there = text[error.pos :].split(maxsplit=1)[0][:10] if text[error.pos].strip() else "white space"
    return f"{error.msg}, found {there!a}{advice}"
