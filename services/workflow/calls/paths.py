"""Path parameters as their style writes them (OpenAPI 3.1, 4.8.12.4; RFC 6570). Pure."""

from typing import Any
from urllib.parse import quote

import msgspec

from services.workflow.calls.operations import Parameter
from services.workflow.calls.problems import configuration
from services.workflow.calls.values import text_of

_STYLES = {"simple": ("", ","), "label": (".", "."), "matrix": (";", ";")}
"""What the text begins with, and what joins the parts of an exploded value."""


def path_text(parameter: Parameter, value: Any, what: str) -> str:
    """What stands in the path for a parameter, percent-encoded. Raises CallError for what can't stand there."""
    if parameter.style not in _STYLES:
        raise configuration(f"{what}: a style that paths do not have: {parameter.style}")
    before, joint = _STYLES[parameter.style]
    name = f"{_encoded(parameter.name)}=" if parameter.style == "matrix" else ""
    if parameter.json:
        text = before + name + _encoded(msgspec.json.encode(value).decode())
    elif isinstance(value, dict):
        pairs = [(_encoded(key), _encoded(text_of(item, what))) for key, item in value.items() if item is not None]
        if parameter.explode:
            text = before + joint.join(f"{key}={item}" for key, item in pairs)
        else:
            text = before + name + ",".join(part for pair in pairs for part in pair)
    elif isinstance(value, list):
        items = [_encoded(text_of(item, what)) for item in value if item is not None]
        if parameter.explode:
            text = before + joint.join(name + item for item in items)
        else:
            text = before + name + quote(parameter.separator or ",", safe=",").join(items)
    else:
        text = before + name + _encoded(text_of(value, what))
    if text in ("", ".", "..", ";"):
        raise configuration(f"{what}: expected a text that can stand in a path")
    return text


def _encoded(text: str) -> str:
    return quote(text, safe="-._~")
