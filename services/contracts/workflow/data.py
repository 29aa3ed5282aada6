"""What tasks and the workflow itself have in common: data flow, timeouts, errors, retries."""

from typing import Annotated, Any, Literal

from services.contracts.workflow.auth import ExternalResource
from services.contracts.workflow.node import Node, Part
from services.contracts.workflow.read import either, name_of, read_integer, read_object, read_string
from services.contracts.workflow.values import Duration, ExpressionField, TextField, Transform, Uri


def _read_format(node: Node) -> str:
    name = read_string(node)
    if name.partition(":")[0] != "json":
        node.refuse("json (JSON Schema)", kind="unsupported")
    return name


def _read_schema_document(node: Node) -> dict[str, Any] | bool:
    return node.value if isinstance(node.value, dict | bool) else node.refuse("a JSON Schema", kind="rule")


class Schema(Part, frozen=True, kw_only=True):
    """A JSON Schema, inline or to fetch. ``format`` may carry a version: ``json:2020-12``."""

    exactly_one = (("document", "resource"),)

    format: Annotated[str, _read_format] = "json"
    document: Annotated[dict[str, Any] | bool | None, _read_schema_document] = None
    resource: ExternalResource | None = None


class Input(Part, frozen=True, kw_only=True):
    """Checks raw input by ``schema``, then shapes it by ``from``."""

    schema: Schema | None = None
    from_: Transform | None = None


class Output(Part, frozen=True, kw_only=True):
    """Shapes raw output by ``as``, then checks it by ``schema``."""

    schema: Schema | None = None
    as_: Transform | None = None


class Export(Part, frozen=True, kw_only=True):
    """Makes the new context by ``as`` from the shaped output, then checks it by ``schema``."""

    schema: Schema | None = None
    as_: Transform | None = None


class Timeout(Part, frozen=True, kw_only=True):
    """Seconds after which a timeout error is raised."""

    after: Duration


class Error(Part, frozen=True, kw_only=True):
    """An error to raise (RFC 7807). ``instance`` is set by the engine when absent: the pointer of the raising task."""

    type: Uri
    status: int
    instance: TextField | None = None
    title: TextField | None = None
    detail: TextField | None = None


class ErrorFilter(Part, frozen=True, kw_only=True):
    """The values that a caught error must have, each compared as it stands, types by ``errors.same_type``."""

    not_empty = True

    type: str | None = None
    status: int | None = None
    instance: str | None = None
    title: str | None = None
    detail: str | None = None


BackoffKind = Literal["constant", "exponential", "linear"]


def _read_backoff(node: Node) -> BackoffKind:
    """The kind alone: the language gives the kinds no properties."""
    kinds: tuple[BackoffKind, ...] = ("constant", "exponential", "linear")
    if len(read_object(node)) != 1 or next(iter(node.value)) not in kinds:
        node.refuse(f"exactly one of {', '.join(kinds)}")
    kind = next(iter(node.value))
    if read_object(node.child(kind)):
        node.child(kind).refuse(
            f"{kind}: {{}}", kind="unknown-field", hint="DSL 1.0 defines no properties of a backoff"
        )
    return kinds[kinds.index(kind)]


class Jitter(Part, frozen=True, kw_only=True):
    """Seconds added to a delay, drawn evenly between the two."""

    from_: Duration
    to: Duration


def _read_count(node: Node) -> int:
    count = read_integer(node)
    return count if count >= 0 else node.refuse("a number that is not negative", kind="rule")


class AttemptLimit(Part, frozen=True, kw_only=True):
    """``count``: attempts after the first; ``duration``: seconds that one attempt may take."""

    count: Annotated[int | None, _read_count] = None
    duration: Duration | None = None


class RetryLimit(Part, frozen=True, kw_only=True):
    """``duration``: seconds from the first failure on in which attempts may begin."""

    attempt: AttemptLimit = AttemptLimit()
    duration: Duration | None = None


class Retry(Part, frozen=True, kw_only=True):
    """Whether and when a try is attempted again: ``delay`` grown by ``backoff`` (retry n: n times it, or 2**(n-1)
    times), plus ``jitter``."""

    when: ExpressionField | None = None
    except_when: ExpressionField | None = None
    delay: Duration = 0.0
    backoff: Annotated[BackoffKind, _read_backoff] = "constant"
    limit: RetryLimit = RetryLimit()
    jitter: Jitter | None = None


TimeoutOrName = Annotated[
    Timeout | str,
    either("a timeout with after, or a name in use.timeouts", object=Timeout, string=name_of("timeouts")),
]
ErrorOrName = Annotated[
    Error | str,
    either("an error with type and status, or a name in use.errors", object=Error, string=name_of("errors")),
]
RetryOrName = Annotated[
    Retry | str, either("a retry policy, or a name in use.retries", object=Retry, string=name_of("retries"))
]
Directive = str
"""``continue``, ``exit``, ``end``, or the name of a task of the same list (``rules`` checks that it is there)."""
