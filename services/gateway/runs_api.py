"""Runs of workflows over HTTP: starting them, reading them, and what an operator does to them."""

import contextlib
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from nats.aio.msg import Msg

from services.contracts import headers
from services.contracts.errors import Code, FaasError
from services.contracts.names import FunctionRef
from services.contracts.resources import MAX_TIMEOUT
from services.contracts.runs import (
    HistoryPage,
    ListRuns,
    ReadHistory,
    RunFilter,
    RunList,
    RunView,
    StartRun,
    Trace,
    new_run_id,
)
from services.gateway.control import LIST, READ_SECONDS, Control, Known
from services.gateway.request import check_length, checked_label, fields_of, preferred_wait, read_body, text_of
from services.gateway.resources_api import Namespace, json_response

MAX_INPUT = headers.MAX_PAYLOAD - 4096
"""Bytes of a run's input: one message, less what goes around it."""
MAX_LIST = 1000
Responses = dict[int | str, dict[str, Any]]


def answers(type_: type[msgspec.Struct], status: int = 200, **others: str) -> Responses:
    """What an operation answers, for the description of the API: a message of the contracts, and other statuses."""
    schema = {"$ref": f"#/components/schemas/{type_.__name__}"}
    found: Responses = {
        status: {
            "description": (type_.__doc__ or "").partition(".")[0],
            "content": {"application/json": {"schema": schema}},
        }
    }
    return found | {int(number.strip("_")): {"description": text} for number, text in others.items()}


_ANSWER = answers(RunView, _404="There is no such run")
_CHANGED = _ANSWER | answers(RunView, _409="Its status does not allow it")
_PREFER = {
    "name": "Prefer", "in": "header", "schema": {"type": "string"},
    "description": "wait=N: answer when the run has ended, at the latest after N s (RFC 7240); wait alone: an hour.",
}  # fmt: skip
_INPUT: dict[str, Any] = {
    "parameters": [_PREFER],
    "requestBody": {
        "required": False,
        "description": "The run's input: any JSON value; {} when there is no body.",
        "content": {"application/json": {"schema": {}}},
    },
}
Workflow = Annotated[str, Path(description="The workflow's name, a DNS-1123 label.")]
RunId = Annotated[str, Path(description="The run's id, a DNS-1123 label.")]


def path_of(ref: FunctionRef) -> str:
    """A run's address."""
    return f"/api/v1/namespaces/{ref.namespace}/runs/{ref.name}"


def run_ref(namespace: str, run: str) -> FunctionRef:
    """A run by namespace and id from outside. Raises FaasError ``invalid_name``."""
    return FunctionRef(checked_label(namespace, "namespace"), checked_label(run, "run's id"))


def router(control: Control) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/v1/namespaces/{namespace}", tags=["runs"])
    _add_start(routes, control)
    _add_reading(routes, control)
    for verb, summary in (
        ("cancel", "End an open run"),
        ("pause", "Let nothing new begin in a run"),
        ("resume", "Let a paused run go on"),
        ("retry", "Run a faulted run again from the task that failed"),
    ):
        _add_verb(routes, control, verb, summary)
    return routes


def _add_start(routes: APIRouter, control: Control) -> None:
    @routes.post(
        "/workflows/{name}/runs",
        status_code=202,
        summary="Start a run of a workflow",
        description="202 with the run and its Location, 200 when it was waited for and has ended.",
        responses=answers(RunView, 202, _200="As 202, of a run that has ended", _404="There is no such workflow"),
        openapi_extra=_INPUT,
    )
    async def start_run(
        namespace: Namespace,
        name: Workflow,
        request: Request,
        id: Annotated[
            str | None, Query(description="The run's id, a DNS-1123 label; the same one again is the same run.")
        ] = None,
    ) -> Response:
        workflow = FunctionRef(checked_label(namespace, "namespace"), checked_label(name, "workflow's name"))
        run = run_ref(namespace, new_run_id(workflow.name) if id is None else id)
        seconds = _preferred_seconds(request)
        asked = StartRun(input=await _input(request), id=run.name)
        try:
            view = await control.ask("start", workflow, asked)
        except FaasError as error:
            if error.code is not Code.NO_WORKFLOW_SERVICE:
                raise
            again = f"{error.message}; the same request with ?id={run.name} starts the run if it is not yet there"
            raise FaasError(error.code, again, retry_after=error.retry_after) from None
        if seconds and not _known(view).ended:
            # whatever becomes of the wait, the run is there: an error would have its caller start another one
            with contextlib.suppress(FaasError):
                view = await control.wait(run, seconds, request.is_disconnected)
        return _view(view, 200 if _known(view).ended else 202, seconds, path_of(run))


def _add_reading(routes: APIRouter, control: Control) -> None:
    @routes.get("/runs", summary="List runs, the newest first", responses=answers(RunList))
    async def list_runs(
        namespace: Namespace,
        workflow: Annotated[str | None, Query(description="Only of this workflow.")] = None,
        status: Annotated[RunFilter | None, Query(description="Only those; open: running or suspended.")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_LIST, description="At most so many.")] = 100,
    ) -> Response:
        of = "" if workflow is None else checked_label(workflow, "workflow's name")
        asked = ListRuns(workflow=of, status=status or "", limit=limit)
        return _passed(await control.ask("list", run_ref(namespace, LIST), asked))

    @routes.get("/runs/{run}", summary="Read a run", responses=_ANSWER, openapi_extra={"parameters": [_PREFER]})
    async def get_run(namespace: Namespace, run: RunId, request: Request) -> Response:
        ref, seconds = run_ref(namespace, run), _preferred_seconds(request)
        view = await (control.wait(ref, seconds, request.is_disconnected) if seconds else control.ask("get", ref))
        return _view(view, 200, seconds)

    @routes.get(
        "/runs/{run}/trace",
        summary="A run as a tree of tasks, with inputs, outputs, attempts and times",
        responses=answers(Trace, _404="There is no such run"),
    )
    async def get_trace(namespace: Namespace, run: RunId) -> Response:
        return _passed(await control.ask("trace", run_ref(namespace, run), seconds=READ_SECONDS))

    @routes.get("/runs/{run}/definition", summary="The definition that a run goes by")
    async def get_definition(namespace: Namespace, run: RunId) -> Response:
        return _passed(await control.ask("definition", run_ref(namespace, run)))

    @routes.get(
        "/runs/{run}/history",
        summary="The records of a run",
        description="The field next is the start of the page after it, 0 when there is none.",
        responses=answers(HistoryPage, _404="There is no such run"),
    )
    async def get_history(
        namespace: Namespace,
        run: RunId,
        start: Annotated[int, Query(ge=0, description="The sequence to begin with.")] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_LIST, description="At most so many transitions.")] = MAX_LIST,
    ) -> Response:
        asked = ReadHistory(start=start, limit=limit)
        return _passed(await control.ask("history", run_ref(namespace, run), asked, READ_SECONDS))


def _add_verb(routes: APIRouter, control: Control, verb: str, summary: str) -> None:
    @routes.post(f"/runs/{{run}}/{verb}", summary=summary, operation_id=f"{verb}_run", responses=_CHANGED)
    async def act(namespace: Namespace, run: RunId) -> Response:
        return _passed(await control.ask(verb, run_ref(namespace, run)))


async def _input(request: Request) -> msgspec.Raw | msgspec.UnsetType:
    """The body as the run's input. Raises FaasError when it is too large or no JSON."""
    check_length(fields_of(request.scope["headers"]), MAX_INPUT)
    body = await read_body(request.receive, MAX_INPUT)
    if not body.strip():
        return msgspec.UNSET
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FaasError(Code.INVALID_JSON, f"the run's input is not valid JSON: {error}") from None
    return msgspec.Raw(body)


def _preferred_seconds(request: Request) -> float:
    """How long the caller would wait for the run's end. Raises FaasError for a wrong ``Prefer``."""
    value = fields_of(request.scope["headers"]).get(b"prefer")
    wait = None if value is None else preferred_wait(text_of("prefer", value))
    if wait is None:
        return 0.0
    return float(wait.partition("=")[2] or MAX_TIMEOUT)


def _known(view: Msg) -> Known:
    return msgspec.json.decode(view.data, type=Known)


def _view(view: Msg, status: int, seconds: float, location: str = "") -> Response:
    made = json_response(view.data, status)
    if location:
        made.headers["location"] = location
    if seconds:
        made.headers["preference-applied"] = "wait"  # RFC 7240 section 3
    return made


def _passed(answer: Msg) -> Response:
    return json_response(answer.data)
