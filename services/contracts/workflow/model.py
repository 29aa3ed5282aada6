"""A workflow's definition, read and checked: what the engine runs."""

from typing import Annotated, Any, Literal

from msgspec import field

from services.contracts.names import FunctionRef
from services.contracts.workflow import calls
from services.contracts.workflow.auth import Authentication, AuthenticationReference, Policy
from services.contracts.workflow.data import Error, Input, Output, Retry, Timeout, TimeoutOrName
from services.contracts.workflow.events import Read, Strategy
from services.contracts.workflow.expressions import Expression
from services.contracts.workflow.identity import read_cron, read_dsl, read_label, read_language, read_version
from services.contracts.workflow.node import Part
from services.contracts.workflow.task import Task
from services.contracts.workflow.values import Duration, Object


class Document(Part, frozen=True, kw_only=True):
    """What the workflow is called; ``namespace`` and ``name`` are those of its resource."""

    dsl: Annotated[str, read_dsl]
    namespace: Annotated[str, read_label]
    name: Annotated[str, read_label]
    version: Annotated[str, read_version]
    title: str = ""
    summary: str = ""
    tags: Object = field(default_factory=dict)
    metadata: Object = field(default_factory=dict)


class Use(Part, frozen=True, kw_only=True):
    """What the workflow's parts may refer to by name."""

    authentications: dict[str, Policy] = field(default_factory=dict)
    errors: dict[str, Error] = field(default_factory=dict)
    functions: dict[str, Task] = field(default_factory=dict)
    retries: dict[str, Retry] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    timeouts: dict[str, Timeout] = field(default_factory=dict)


class Schedule(Part, frozen=True, kw_only=True):
    """When runs begin by themselves: after seconds, by a cron expression in UTC, or by events; several may be given."""

    every: Duration | None = None
    cron: Annotated[str | None, read_cron] = None
    after: Duration | None = None
    on: Strategy | None = None
    read: Read = "data"


class Evaluate(Part, frozen=True, kw_only=True):
    """How expressions are written: ``strict`` in ``${ }``, ``loose`` any string."""

    language: Annotated[str, read_language] = "jq"
    mode: Literal["strict", "loose"] = "strict"


class Definition(Part, frozen=True, kw_only=True):
    """A whole workflow.

    ``source`` is the document that it was read from (for ``$workflow.definition``); ``expressions`` are all that stand
    in it, in the order of the document, for whoever checks or compiles them.
    """

    source: dict[str, Any]
    expressions: tuple[Expression, ...]
    document: Document
    do: list[Task]
    input: Input | None = None
    output: Output | None = None
    use: Use = Use()
    timeout: TimeoutOrName | None = None
    schedule: Schedule | None = None
    evaluate: Evaluate = Evaluate()

    def function(self, call: calls.CallFunction) -> Task | FunctionRef:
        """What a call runs: the task of ``use.functions`` of that name, else a Function of the platform, by
        ``namespace/name`` or by its name in the workflow's namespace."""
        own = self.use.functions.get(call.call)
        if own is not None:
            return own
        namespace, slash, name = call.call.rpartition("/")
        return FunctionRef(namespace if slash else self.document.namespace, name)

    def timeout_of(self, timeout: Timeout | str | None) -> Timeout | None:
        """The timeout itself, looked up when it is a name."""
        return self.use.timeouts[timeout] if isinstance(timeout, str) else timeout

    def retry_of(self, retry: Retry | str | None) -> Retry | None:
        """The retry policy itself, looked up when it is a name."""
        return self.use.retries[retry] if isinstance(retry, str) else retry

    def error_of(self, error: Error | str) -> Error:
        """The error itself, looked up when it is a name."""
        return self.use.errors[error] if isinstance(error, str) else error

    def authentication_of(self, policy: Authentication | AuthenticationReference | None) -> Authentication | None:
        """The policy itself, looked up when it is a reference."""
        return self.use.authentications[policy.use] if isinstance(policy, AuthenticationReference) else policy
