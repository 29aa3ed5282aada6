"""The arguments of calls, resolved when a command goes out and kept nowhere."""

import re
from typing import Any
from urllib.parse import quote

import msgspec

from services.contracts.workflow.auth import AuthenticationReference, Endpoint
from services.contracts.workflow.calls import Call, CallFunction, Subscription
from services.contracts.workflow.expressions import Expression, Interpolation, Template
from services.contracts.workflow.tasks import RunTask
from services.workflow.engine.scope import Scope
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame

_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


def arguments_of(session: Session, frame: Frame) -> Any:
    """A Function's body, another call's ``with`` as its struct with every expression replaced by its value, or the
    input of another workflow. Raises Raised."""
    task, scope = session.task(frame), session.scope(frame)
    data = scope.input()
    if isinstance(task, RunTask):
        given = task.run.workflow.input
        return data if given is None else scope.fill(given, data)
    if isinstance(task, CallFunction):
        return data if task.with_ is None else scope.fill(task.with_, data)
    assert isinstance(task, Call)
    return _resolved(task.with_, session, scope, data)  # type: ignore[attr-defined]


def _resolved(value: Any, session: Session, scope: Scope, data: Any) -> Any:
    if isinstance(value, Template | Expression | Interpolation):
        return scope.fill(value, data)
    if isinstance(value, Subscription):
        return value  # evaluated over each message, by whoever consumes them
    if isinstance(value, AuthenticationReference):
        return _resolved(session.plan.definition.authentication_of(value), session, scope, data)
    if isinstance(value, msgspec.Struct):
        fields = {name: _resolved(getattr(value, name), session, scope, data) for name in value.__struct_fields__}
        if isinstance(value, Endpoint) and isinstance(value.uri, str):
            fields["uri"] = expand(value.uri, data, scope.variables())
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, dict):
        return {key: _resolved(item, session, scope, data) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, session, scope, data) for item in value]
    return value


def expand(uri: str, data: Any, variables: dict[str, Any]) -> str:
    """A URI template (RFC 6570, simple expansion): names are fields of the data or variables; unknown ones vanish."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        value = data.get(name) if isinstance(data, dict) and name in data else variables.get(name)
        if value is None or isinstance(value, dict | list):
            return ""
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        return quote(text, safe="-._~")

    return _NAME.sub(replace, uri)
