"""What each built-in kind does beyond the common rules when it is created or updated.

A strategy is up to three functions, all of them free to change `obj` (a tree of its own): `prepare(obj, old)` sets
defaults and what the server owns, `validate(obj, old)` returns field errors, and `prepare_status(obj, old)` runs on the
status subresource.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from cli.local.apiserver.fielderrors import FieldError

Json = dict[str, Any]


def _nothing(obj: Json, old: Json | None) -> None:
    pass


def _no_errors(obj: Json, old: Json | None) -> list[FieldError]:
    return []


class Strategy(msgspec.Struct, frozen=True):
    prepare: Callable[[Json, Json | None], None] = _nothing
    validate: Callable[[Json, Json | None], list[FieldError]] = _no_errors


PLAIN = Strategy()
