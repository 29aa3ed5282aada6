"""The arguments of calls, resolved when a command goes out and kept nowhere."""

from typing import Any

import msgspec

from services.contracts.workflow.auth import AuthenticationReference, Endpoint, OidcAuthentication
from services.contracts.workflow.calls import Call, CallFunction, Subscription
from services.contracts.workflow.expressions import Expression, Interpolation, Template, Text
from services.contracts.workflow.tasks import RunTask
from services.contracts.workflow.uri import NotExpandable, expand
from services.workflow.engine.errors import standard
from services.workflow.engine.scope import Scope
from services.workflow.engine.session import Session
from services.workflow.engine.state import Frame

_TEMPLATES: list[tuple[str, type[msgspec.Struct]]] = [("uri", Endpoint), ("authority", OidcAuthentication)]
"""Fields with URI templates."""


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
        for name, type_ in _TEMPLATES:
            if isinstance(value, type_) and isinstance(given := getattr(value, name), str | Interpolation):
                fields[name] = scope.fill(expanded(given, data), data)
        return msgspec.structs.replace(value, **fields)
    if isinstance(value, dict):
        return {key: _resolved(item, session, scope, data) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, session, scope, data) for item in value]
    return value


def expanded(template: Text, data: Any) -> Text:
    """A URI of a definition with its ``{name}`` replaced; what an expression gives is no template. Raises Raised."""
    try:
        if isinstance(template, str):
            return expand(template, data)
        if isinstance(template, Expression):
            return template
        return Interpolation(tuple(expand(part, data) if isinstance(part, str) else part for part in template.parts))
    except NotExpandable as error:
        raise standard("expression", str(error)) from None
