"""Lifecycle events of workflows as server-sent events, behind a snapshot of how things stand; the door for events."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.common.replies import Replies
from services.contracts import headers
from services.contracts.runs import ListRuns
from services.contracts.subjects import event
from services.gateway.control import LIST, Control, Known
from services.gateway.events_api import Filter, Snapshot, events_of_run, watch
from services.gateway.live import Streams
from services.gateway.request import check_length, checked_label, fields_of, read_body, selected, text_of
from services.gateway.resources_api import Namespace, json_response
from services.gateway.runs_api import MAX_INPUT, MAX_LIST, Responses, RunId, run_ref

_STREAM: Responses = {200: {"content": {"text/event-stream": {}}, "description": "Server-sent events"}}
_EVENT = {
    "requestBody": {
        "required": True,
        "description": "A CloudEvent 1.0: in structured mode (Content-Type application/cloudevents+json), or its data "
        "as the body and its attributes as headers ce-id, ce-source, ce-specversion, ce-type and so on.",
        "content": {"application/cloudevents+json": {"schema": {"type": "object"}}, "*/*": {"schema": {}}},
    },
}


def router(control: Control, replies: Replies, streams: Streams) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/v1/namespaces/{namespace}", tags=["runs"])

    @routes.get(
        "/runs/{run}/events",
        summary="Watch a run",
        description="First an event named snapshot with the run (RunView), then each lifecycle event of the run as a "
        "CloudEvent; when the run has ended, one more snapshot, and the stream ends.",
        responses=_STREAM,
    )
    async def watch_run(namespace: Namespace, run: RunId) -> Response:
        ref = run_ref(namespace, run)
        workflow = msgspec.json.decode((await control.ask("get", ref)).data, type=Known).run.workflow

        async def snapshot() -> tuple[bytes, bool]:
            view = (await control.ask("get", ref)).data
            return view, msgspec.json.decode(view, type=Known).ended

        subject = event(namespace, "workflow", workflow, "*")
        return await watch(replies, streams, subject, events_of_run(run), Snapshot(snapshot, again=True))

    @routes.get(
        "/workflow-events",
        summary="Watch the workflows of a namespace",
        description="First an event named snapshot with the open runs (RunList), then each lifecycle event as a "
        "CloudEvent, whose subject is the run's id.",
        responses=_STREAM,
    )
    async def watch_workflows(
        namespace: Namespace, workflow: Annotated[str | None, Query(description="Only this workflow's.")] = None
    ) -> Response:
        ref = run_ref(namespace, LIST)
        of = "" if workflow is None else checked_label(workflow, "workflow's name")

        async def snapshot() -> tuple[bytes, bool]:
            asked = ListRuns(workflow=of, status="open", limit=MAX_LIST)
            return (await control.ask("list", ref, asked)).data, False

        await snapshot()  # what is wrong is answered before the stream begins
        subject = event(namespace, "workflow", of or "*", "*")
        return await watch(replies, streams, subject, Filter(), Snapshot(snapshot, again=False))

    @routes.post(
        "/events",
        status_code=202,
        summary="Send a CloudEvent to the workflows of a namespace",
        description="Answered once it is stored.",
        openapi_extra=_EVENT,
    )
    async def send_event(namespace: Namespace, request: Request) -> Response:
        checked_label(namespace, "namespace")
        found = fields_of(request.scope["headers"])
        check_length(found, MAX_INPUT)
        fields = selected(found, (name.decode("latin-1") for name in found if name.startswith(b"ce-")))
        if b"content-type" in found:
            fields[headers.CONTENT_TYPE] = text_of("content-type", found[b"content-type"])
        answer = await control.send(namespace, fields, await read_body(request.receive, MAX_INPUT))
        return json_response(answer.data or b"{}", 202)

    return routes
