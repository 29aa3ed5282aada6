"""Errors about one field of an object, worded as the Kubernetes API words them."""

from collections.abc import Sequence
from typing import Any

import msgspec

OMITTED = object()  # a bad value that the message leaves out

_TITLES = {
    "FieldValueNotFound": "Not found",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueTypeInvalid": "Invalid value",
}


class FieldError(msgspec.Struct, frozen=True):
    """One cause of an `Invalid` status: `reason` is the cause's machine-readable type, `field` a dotted path."""

    reason: str
    field: str
    detail: str = ""
    value: Any = OMITTED

    def body(self) -> str:
        """The message without the field's name."""
        text = _TITLES[self.reason]
        if self.value is not OMITTED:
            text += f": {render(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.field}: {self.body()}"


def render(value: Any) -> str:
    """A bad value as JSON."""
    return msgspec.json.encode(value).decode()


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, detail)


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueInvalid", field, detail, value)


def wrong_type(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueTypeInvalid", field, detail, value)


def not_supported(field: str, value: Any, supported: Sequence[str]) -> FieldError:
    detail = "supported values: " + ", ".join(render(s) for s in supported) if supported else ""
    return FieldError("FieldValueNotSupported", field, detail, value)


def forbidden_field(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, detail)


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, "", value)


def too_long(field: str, limit: int) -> FieldError:
    return FieldError("FieldValueTooLong", field, f"may not be more than {limit} {'byte' if limit == 1 else 'bytes'}")


def too_many(field: str, actual: int, limit: int) -> FieldError:
    return FieldError(
        "FieldValueTooMany", field, f"must have at most {limit} {'item' if limit == 1 else 'items'}", actual
    )


def aggregate(errors: Sequence[FieldError]) -> str:
    """Join as a list in brackets when there are several; repeated messages once."""
    messages = list(dict.fromkeys(str(error) for error in errors))
    return messages[0] if len(messages) == 1 else f"[{', '.join(messages)}]"
