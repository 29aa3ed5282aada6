"""How large a definition may be: bounds that keep reading and validating one cheap, whoever sent it."""

from typing import Any

MAX_BYTES = 512 * 1024
"""Of the text. A Kubernetes object may have about 1.5 MB, and a Workflow carries more than its definition."""
MAX_NODES = 50_000
"""Values in the document, those that aliases repeat counted each time (a few anchors can make billions)."""
MAX_DEPTH = 100
"""Nested objects and lists; a task inside a task takes three."""


def exceeded(document: Any) -> str | None:
    """Which bound a parsed document breaks, in words; None when it is within all of them. Never recursive."""
    nodes, stack = 0, [(document, 1)]
    while stack:
        value, depth = stack.pop()
        nodes += 1
        if nodes > MAX_NODES:
            return f"more than {MAX_NODES} values"
        if depth > MAX_DEPTH:
            return f"more than {MAX_DEPTH} nested levels"
        if isinstance(value, dict):
            stack.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            stack.extend((item, depth + 1) for item in value)
    return None
