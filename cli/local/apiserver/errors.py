"""Errors as the Kubernetes API reports them: a `Status` object with a code, a reason and details."""

from collections.abc import Sequence
from typing import Any

import msgspec

from cli.local.apiserver.fielderrors import FieldError, aggregate

Json = dict[str, Any]


class StatusError(Exception):
    """A request's failure, rendered as a `Status` (Kubernetes API conventions, "Response Status Kind")."""

    def __init__(
        self, code: int, reason: str, message: str, details: Json | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = headers

    def status(self) -> Json:
        """The `Status` object."""
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        status["code"] = self.code
        return status

    def body(self) -> bytes:
        return msgspec.json.encode(self.status())


def qualified(group: str, name: str) -> str:
    """`pods`, `replicasets.apps`: how messages name a resource or kind."""
    return f"{name}.{group}" if group else name


def _details(group: str, kind: str, name: str = "", **more: Any) -> Json:
    details: Json = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    return details | {key: value for key, value in more.items() if value}


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()


def not_found(group: str, plural: str, name: str) -> StatusError:
    message = f"{qualified(group, plural)} {_quote(name)} not found"
    return StatusError(404, "NotFound", message, _details(group, plural, name))


def path_not_found() -> StatusError:
    return StatusError(404, "NotFound", "the server could not find the requested resource", {})


def no_subresource(group: str, plural: str, name: str) -> StatusError:
    message = "the server could not find the requested resource"
    return StatusError(404, "NotFound", message, _details(group, plural, name))


def already_exists(group: str, plural: str, name: str) -> StatusError:
    message = f"{qualified(group, plural)} {_quote(name)} already exists"
    return StatusError(409, "AlreadyExists", message, _details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str, causes: Sequence[Json] = ()) -> StatusError:
    message = f"Operation cannot be fulfilled on {qualified(group, plural)} {_quote(name)}: {why}"
    return StatusError(409, "Conflict", message, _details(group, plural, name, causes=list(causes)))


STALE = "the object has been modified; please apply your changes to the latest version and try again"


def apply_conflict(message: str, causes: Sequence[Json]) -> StatusError:
    return StatusError(409, "Conflict", message, {"causes": list(causes)})


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> StatusError:
    message = f"{qualified(group, kind)} {_quote(name)} is invalid: {aggregate(errors)}"
    causes = [{"reason": e.reason, "message": e.body(), "field": e.field} for e in errors]
    return StatusError(422, "Invalid", message, _details(group, kind, name, causes=causes))


def forbidden(group: str, plural: str, name: str, why: str, causes: Sequence[Json] = ()) -> StatusError:
    subject = f"{qualified(group, plural)} {_quote(name)}" if name else qualified(group, plural)
    details = _details(group, plural, name, causes=list(causes))
    return StatusError(403, "Forbidden", f"{subject} is forbidden: {why}", details)


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def unauthorized() -> StatusError:
    return StatusError(401, "Unauthorized", "Unauthorized", headers=(("www-authenticate", 'Bearer realm="faas"'),))


def method_not_allowed() -> StatusError:
    return StatusError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def expired(message: str) -> StatusError:
    """410: the resourceVersion or continue token lies before what the history holds."""
    return StatusError(410, "Expired", message)


def too_large_version(requested: int, current: int) -> StatusError:
    """504: the client has seen a resourceVersion that this server has not (its database was replaced)."""
    message = f"Timeout: Too large resource version: {requested}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return StatusError(504, "Timeout", message, {"causes": causes, "retryAfterSeconds": 1})


def too_large_body(limit: int) -> StatusError:
    return StatusError(
        413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit}", headers=(("connection", "close"),)
    )


def unsupported_media_type(accepted: Sequence[str]) -> StatusError:
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return StatusError(415, "UnsupportedMediaType", message)


def internal(message: str) -> StatusError:
    return StatusError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})
