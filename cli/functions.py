"""Functions as the gateway's API gives them: where they are, and what their conditions say."""

from typing import Any

from services.contracts.names import FunctionRef


def collection(namespace: str) -> str:
    """Path of a namespace's functions. ``namespace`` is a checked name."""
    return f"/api/v1/namespaces/{namespace}/functions"


def item(ref: FunctionRef) -> str:
    """Path of one function."""
    return f"{collection(ref.namespace)}/{ref.name}"


def conditions(function: dict[str, Any]) -> list[dict[str, Any]]:
    """A function's conditions; none while the platform has not looked at it."""
    return list((function.get("status") or {}).get("conditions") or [])


def readiness(function: dict[str, Any]) -> tuple[str, str]:
    """Status and reason of the condition Ready; ``Unknown`` while there is none."""
    ready = next((c for c in conditions(function) if c["type"] == "Ready"), {})
    return ready.get("status", "Unknown"), ready.get("reason") or "-"
