"""The argument ``$authorization``: how a call authenticates, as far as that may be told."""

import base64
from collections.abc import Callable
from typing import Any

from services.contracts.workflow import Definition
from services.contracts.workflow import auth as a
from services.contracts.workflow.calls import CallAsyncApi, CallHttp, CallOpenApi
from services.contracts.workflow.task import Task

_SCHEMES = {"basic": "Basic", "digest": "Digest", "bearer": "Bearer", "oauth2": "Bearer", "oidc": "Bearer"}


def descriptor(definition: Definition, task: Task | None, fill: Callable[[Any], Any]) -> dict[str, Any] | None:
    """The authorization descriptor of the specification; None for a task without a policy.

    ``parameter`` is that of the schemes ``basic`` and ``bearer``; null for the others, which make a new one for each
    request, and in a workflow that has secrets, since what an expression gives may be recorded. ``fill``: gives the
    value of a text of the policy; raises Raised.
    """
    policy = definition.authentication_of(_policy_of(task))
    if policy is None:
        return None
    private = bool(definition.use.secrets)
    if isinstance(policy, a.SecretAuthentication):
        return {"scheme": _SCHEMES[policy.scheme], "parameter": None}
    if isinstance(policy, a.BasicAuthentication):
        return {"scheme": "Basic", "parameter": None if private else _basic(policy, fill)}
    if isinstance(policy, a.BearerAuthentication):
        return {"scheme": "Bearer", "parameter": None if private else fill(policy.token)}
    return {"scheme": "Digest" if isinstance(policy, a.DigestAuthentication) else "Bearer", "parameter": None}


def _policy_of(task: Task | None) -> Any:
    if isinstance(task, CallHttp):
        return task.with_.endpoint.authentication
    return task.with_.authentication if isinstance(task, CallOpenApi | CallAsyncApi) else None


def _basic(policy: a.BasicAuthentication, fill: Callable[[Any], Any]) -> str:
    return base64.b64encode(f"{fill(policy.username)}:{fill(policy.password)}".encode()).decode()
