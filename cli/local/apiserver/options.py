"""What a write request may ask for beside its object."""

from typing import Any

import msgspec

from cli.local.apiserver.errors import bad_request, invalid
from cli.local.apiserver.fielderrors import FieldError, invalid_value, not_supported

Json = dict[str, Any]

FIELD_VALIDATION = ("Ignore", "Warn", "Strict")


class WriteOptions(msgspec.Struct):
    """Options of create, update and patch. `warnings` collects what the response's Warning headers say."""

    field_validation: str = "Warn"
    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    patch: str | None = None  # the patch's text, when the write is one
    applies: bool = False  # a server-side apply, which has written managedFields itself
    warnings: list[str] = msgspec.field(default_factory=list)


class DeleteOptions(msgspec.Struct):
    """Options of delete: grace in seconds (None: the object's own), propagation Orphan, Background or Foreground."""

    grace: int | None = None
    propagation: str = ""
    uid: str = ""
    version: str = ""
    dry_run: bool = False


def write_options(query: dict[str, str], user_agent: str) -> WriteOptions:
    """Read query parameters; raises a StatusError for values that are not allowed."""
    validation = query.get("fieldValidation") or "Warn"
    if validation not in FIELD_VALIDATION:
        error = not_supported("fieldValidation", validation, FIELD_VALIDATION)
        raise invalid("meta.k8s.io", "CreateOptions", "", [error])
    manager = query.get("fieldManager") or user_agent.split("/")[0] or "unknown"
    if len(manager) > 128:
        raise bad_request("fieldManager: Too long: may not be more than 128 bytes")
    return WriteOptions(validation, manager, _dry_run(query.get("dryRun")), query.get("force") in ("true", "1"))


def delete_options(query: dict[str, str], body: Json) -> DeleteOptions:
    """Read DeleteOptions; the query counts where it and the body speak. Raises a 400 or 422 StatusError."""
    options = DeleteOptions(dry_run=_dry_run(query.get("dryRun") or ",".join(body.get("dryRun") or [])))
    grace = query.get("gracePeriodSeconds", body.get("gracePeriodSeconds"))
    if grace is not None:
        try:
            options.grace = int(grace)
        except (TypeError, ValueError):
            raise bad_request(f"gracePeriodSeconds: {grace!r} is not a number of seconds") from None
    options.propagation = query.get("propagationPolicy") or body.get("propagationPolicy") or ""
    errors: list[FieldError] = []
    orphan = query.get("orphanDependents", body.get("orphanDependents"))
    if orphan is not None and options.propagation:
        detail = "orphanDependents and deletionPropagation cannot be both set"
        errors.append(invalid_value("propagationPolicy", options.propagation, detail))
    if options.propagation not in ("", "Orphan", "Background", "Foreground"):
        allowed = ("Foreground", "Background", "Orphan", "nil")
        errors.append(not_supported("propagationPolicy", options.propagation, allowed))
    if errors:
        raise invalid("meta.k8s.io", "DeleteOptions", "", errors)
    if not options.propagation and orphan in (True, "true"):
        options.propagation = "Orphan"
    preconditions = body.get("preconditions") or {}
    options.uid = preconditions.get("uid") or ""
    options.version = preconditions.get("resourceVersion") or ""
    return options


def _dry_run(text: str | None) -> bool:
    if text not in (None, "", "All"):
        raise invalid("meta.k8s.io", "CreateOptions", "", [not_supported("dryRun", [text], ("All",))])
    return text == "All"
