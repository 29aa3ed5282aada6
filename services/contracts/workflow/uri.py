"""URI templates, as far as the language takes them from RFC 6570: ``{name}``, simple string expansion (level 1)."""

import json
import re
from typing import Any
from urllib.parse import quote

_VARIABLE = re.compile(r"\{([^{}]*)\}")


class NotExpandable(ValueError):
    """A variable whose value is an object or a list; the language wants an expression error of status 400."""


def expand(template: str, data: Any) -> str:
    """A constant URI of a definition with each ``{name}`` replaced by the field of ``data`` of just that name.

    ``{pet.id}`` is the field "pet.id". A missing field, and null, is an empty string. Everything but RFC 3986's
    unreserved characters is percent-encoded. Never call it on the result of an expression. Raises NotExpandable.
    """
    fields = data if isinstance(data, dict) else {}
    return _VARIABLE.sub(lambda found: quote(_text(found[1], fields.get(found[1])), safe="~"), template)


def _text(name: str, value: Any) -> str:
    if isinstance(value, dict | list):
        kind = "an object" if isinstance(value, dict) else "a list"
        raise NotExpandable(f"{{{name}}} is {kind}; only a string, number, boolean or null can stand in a URI")
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
