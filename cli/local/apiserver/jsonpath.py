"""The subset of JSONPath that printer columns use: fields, indexes, wildcards, and filters by equality."""

import re
from typing import Any

_STEP = re.compile(
    r"""\.(?P<field>[A-Za-z0-9_\-/]+(?:\\\.[A-Za-z0-9_\-/]+)*)
      | \['(?P<quoted>[^']+)'\] | \["(?P<double>[^"]+)"\]
      | \[(?P<index>-?\d+)\] | \[(?P<all>\*)\] | \.(?P<dotall>\*)
      | \[\?\(@\.(?P<name>[\w.\-]+)\s*==\s*(?P<value>"[^"]*"|'[^']*'|true|false|-?\d+)\)\]""",
    re.VERBOSE,
)


def find(path: str, obj: Any) -> list[Any]:
    """Every value at `path` in `obj`; an empty list when there is none or the path is of another form."""
    values = [obj]
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    text = text if text.startswith((".", "[")) else f".{text}"
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return []
        values = [found for value in values for found in _take(step, value)]
        at = step.end()
    return values


def _take(step: re.Match[str], value: Any) -> list[Any]:
    field = step["field"] or step["quoted"] or step["double"]
    if field is not None:
        field = field.replace("\\.", ".")
        return [value[field]] if isinstance(value, dict) and field in value else []
    if step["index"] is not None:
        index = int(step["index"])
        return [value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else []
    if step["name"] is None:
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    wanted = step["value"].strip("\"'")
    return [item for item in value if _text(item, step["name"]) == wanted] if isinstance(value, list) else []


def _text(item: Any, name: str) -> str | None:
    found = find(f".{name}", item)
    if not found:
        return None
    return str(found[0]).lower() if isinstance(found[0], bool) else str(found[0])
