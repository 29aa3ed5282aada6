"""Runs of workflows through every door: the command, HTTP, a plain NATS client, events; their streams and verbs."""

import asyncio
import http.client
import json
import re
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import nats
import pytest

from tests.support.flows import deploy_flows, run, show, status_of, until
from tests.support.http import Answer
from tests.support.http import http as http_request
from tests.support.patience import PATIENCE
from tests.support.platform import FAAS, Platform


@pytest.fixture(scope="module")
def flows(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    deploy_flows(platform, tmp_path_factory.mktemp("workflows"))
    return platform


def ask(platform: Platform, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    return http_request(method, f"{platform.gateway}/api/v1/namespaces/default{path}", body, headers, PATIENCE)


def test_the_command_shows_what_happens_and_prints_the_output(flows: Platform) -> None:
    done = run(flows, "wf-sum", '{"x": 3, "y": 4}', "--wait", "--id", "wf-by-command")
    assert (done.code, done.out) == (0, "14\n")
    said = done.err.splitlines()
    assert said[0] == "run default/wf-by-command"
    assert [re.sub(r"  \d.*", "", text) for text in said[1:]] == [
        "▸ first  started", "✓ first", "▸ sum  started", "✓ sum", "▸ double  started", "✓ double",
    ]  # fmt: skip
    again = run(flows, "wf-sum", '{"x": 99}', "--wait", "--id", "wf-by-command")
    assert (again.code, again.out) == (0, "14\n"), "the same id is the same run"
    assert "run default/wf-by-command was there already, begun with another input, which counts" in again.err
    same = run(flows, "wf-sum", '{ "y": 4.0, "x": 3 }', "--id", "wf-by-command")
    assert (same.code, "was there already" in same.err) == (0, False)


def test_a_run_that_nobody_waits_for_is_named(flows: Platform) -> None:
    done = run(flows, "wf-sum", '{"x": 1}')
    assert done.code == 0
    (name,) = done.out.splitlines()
    assert name.startswith("default/")
    assert f"faas workflow get {name}" in done.err
    until(flows, name, "completed")
    assert show(flows, "get", name)["output"] == 4
    shown = flows.faas("workflow", "get", name, check=True).out
    for line in (f"run       {name}", "status    completed", 'input     {"x":1}', "output    4"):
        assert line in shown.splitlines()


def test_an_error_is_told_with_its_place_and_can_be_retried(flows: Platform) -> None:
    done = run(flows, "wf-fails", "--wait", "--id", "wf-fault")
    assert (done.code, done.out) == (1, "")
    assert "error: run default/wf-fault faulted: Told (418)\n  no tea\n  at /do/1/last\n" in done.err
    assert "✗ last  faulted  Told (418); no tea; at /do/1/last" in done.err
    retried = flows.faas("workflow", "retry", "default/wf-fault", check=True)
    assert retried.out.startswith("run default/wf-fault is ")
    until(flows, "default/wf-fault", "faulted")
    names = [node["name"] for node in show(flows, "trace", "default/wf-fault")["root"]["children"]]
    assert names == ["careful", "last", "last"], "what had ended did not run again"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "default/wf-none"], 3, "workflow_not_found"),
        (["get", "default/wf-none"], 3, "run_not_found"),
        (["cancel", "default/wf-by-nobody"], 3, "run_not_found"),
        (["run", "default/Wf"], 2, "not valid"),
        (["run", "default/wf-sum", "--id", "a.b"], 2, "not valid"),
        (["run", "default/wf-sum", "{bad"], 2, "line 1, column 2"),
        (["diagram"], 2, "give a workflow, or a run"),
        (["history", "a/b/c"], 2, "not valid"),
    ],
)
def test_what_is_wrong_has_its_exit_code(flows: Platform, arguments: list[str], code: int, said: str) -> None:
    done = flows.faas("workflow", *arguments)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_http_starts_waits_and_shows(flows: Platform) -> None:
    started = ask(flows, "POST", "/workflows/wf-sum/runs", b'{"x": 2, "y": 3}')
    assert started.status == 202
    location = urllib.parse.urlsplit(started.headers["location"]).path.removeprefix("/api/v1/namespaces/default")
    ended = ask(flows, "GET", location, Prefer="wait=30")
    assert (ended.status, json.loads(ended.body)["output"]) == (200, 10)
    waited = ask(flows, "POST", "/workflows/wf-sum/runs?id=wf-by-http", b'{"x": 1, "y": 1}', Prefer="wait=30")
    view = json.loads(waited.body)
    assert (waited.status, view["run"]["id"], view["output"]) == (200, "wf-by-http", 4)
    assert waited.headers["preference-applied"] == "wait"
    definition = json.loads(ask(flows, "GET", "/runs/wf-by-http/definition").body)
    assert definition["document"]["name"] == "wf-sum"


async def request(platform: Platform, subject: str, body: bytes) -> tuple[dict[str, str], Any]:
    """What a client that knows nothing of this project is answered."""
    client = await nats.connect(platform.nats)
    try:
        reply = await client.request(subject, body, timeout=PATIENCE)
        return dict(reply.headers or {}), json.loads(reply.data)
    finally:
        await client.close()


def test_a_plain_nats_client_starts_a_run(flows: Platform) -> None:
    headers, view = asyncio.run(request(flows, "faas.run.default.wf-sum", b'{"x": 5, "y": 6}'))
    assert headers["Faas-Status"] == "201"
    name = f"default/{view['run']['id']}"
    until(flows, name, "completed")
    assert show(flows, "get", name)["output"] == 22
    headers, body = asyncio.run(request(flows, "faas.run.default.wf-none", b"{}"))
    assert (headers["Faas-Status"], body["code"]) == ("404", "workflow_not_found")
    headers, body = asyncio.run(request(flows, "faas.run.default.wf-sum", b"{bad"))
    assert (headers["Faas-Status"], body["code"]) == ("400", "invalid_json")


def event(order: int) -> dict[str, Any]:
    return {"specversion": "1.0", "id": f"o{order}", "source": "/tests", "type": "wf.order", "data": {"id": order}}


@pytest.mark.parametrize("door", ["nats", "structured", "binary"])
def test_an_event_reaches_a_run_that_listens(flows: Platform, door: str) -> None:
    name = f"default/wf-hear-{door}"
    run(flows, "wf-hears", "--id", f"wf-hear-{door}")
    until(flows, name, "running", "events")
    order = len(door)
    sent = event(order)
    if door == "nats":
        headers, _ = asyncio.run(request(flows, "faas.send.default", json.dumps(sent).encode()))
        assert headers["Faas-Status"] < "300", headers
    elif door == "structured":
        fields = {"Content-Type": "application/cloudevents+json"}
        assert ask(flows, "POST", "/events", json.dumps(sent).encode(), **fields).status == 202
    else:
        fields = {f"ce-{key}": value for key, value in sent.items() if key != "data"}
        fields["Content-Type"] = "application/json"
        assert ask(flows, "POST", "/events", json.dumps(sent["data"]).encode(), **fields).status == 202
    until(flows, name, "completed")
    assert show(flows, "get", name)["output"] == {"order": order}


def test_a_runs_stream_tells_all_of_it_and_ends_with_it(flows: Platform) -> None:
    run(flows, "wf-hears", "--id", "wf-streamed")
    until(flows, "default/wf-streamed", "running", "events")
    parts = urllib.parse.urlsplit(flows.gateway)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/api/v1/namespaces/default/runs/wf-streamed/events")
        response = connection.getresponse()
        assert response.readline() == b": listening\n"
        assert (response.readline(), response.readline()) == (b"\n", b"event: snapshot\n")
        assert json.loads(response.readline()[6:])["run"]["status"] == "running"
        ask(flows, "POST", "/events", json.dumps(event(1)).encode(), **{"Content-Type": "application/cloudevents+json"})
        data = [json.loads(line[6:]) for line in response.read().splitlines() if line.startswith(b"data: ")]
    finally:
        connection.close()
    assert [found["type"].split(".")[2:4] for found in data[:-1]] == [
        ["workflow", "correlation-completed"], ["task", "completed"], ["task", "created"], ["task", "started"],
        ["task", "completed"], ["workflow", "completed"],
    ]  # fmt: skip
    assert {found["subject"] for found in data[:-1]} == {"wf-streamed"}
    assert data[-1]["run"]["status"] == "completed"


def test_the_stream_of_a_namespace_shows_its_open_runs_then_what_happens(flows: Platform) -> None:
    run(flows, "wf-hears", "--id", "wf-watched")
    until(flows, "default/wf-watched", "running", "events")
    parts = urllib.parse.urlsplit(flows.gateway)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)
    try:
        connection.request("GET", "/api/v1/namespaces/default/workflow-events?workflow=wf-hears")
        response = connection.getresponse()
        lines = (line for line in iter(response.readline, b"") if line.startswith(b"data: "))
        snapshot = json.loads(next(lines)[6:])
        assert "wf-watched" in {found["id"] for found in snapshot["items"]}
        assert {found["status"] for found in snapshot["items"]} <= {"running", "suspended"}
        flows.faas("workflow", "cancel", "default/wf-watched", check=True)
        events = (json.loads(line[6:]) for line in lines)
        mine = (found for found in events if found["subject"] == "wf-watched")
        assert [next(mine)["type"].split(".")[2:4] for _ in range(2)] == [
            ["task", "cancelled"],
            ["workflow", "cancelled"],
        ]
    finally:
        connection.close()


def test_a_run_is_paused_resumed_and_cancelled(flows: Platform) -> None:
    name = "default/wf-steered"
    run(flows, "wf-hears", "--id", "wf-steered")
    until(flows, name, "running", "events")
    for verb, status in (("pause", "suspended"), ("resume", "running"), ("cancel", "cancelled")):
        assert flows.faas("workflow", verb, name, check=True).out == f"run {name} is {status}\n"
        assert status_of(flows, name) == status
    refused = flows.faas("workflow", "pause", name)
    assert (refused.code, "conflict" in refused.err) == (1, True)
    assert [node["status"] for node in show(flows, "trace", name)["root"]["children"]] == ["cancelled"]


def test_waiting_ends_with_its_time_and_with_ctrl_c(flows: Platform) -> None:
    done = run(flows, "wf-hears", "--wait", "0.5", "--id", "wf-outlasts")
    assert (done.code, done.out) == (5, "")
    assert done.err.endswith(
        "run default/wf-outlasts is still running; follow it: faas workflow get default/wf-outlasts\n"
    )
    cancelled = flows.faas("workflow", "cancel", "default/wf-outlasts", "-o", "json", check=True)
    assert json.loads(cancelled.out)["run"]["status"] == "cancelled"
    again = run(flows, "wf-hears", "--wait", "--id", "wf-outlasts")
    assert (again.code, "error: run default/wf-outlasts was cancelled" in again.err) == (1, True)


def test_a_wait_that_is_interrupted_leaves_the_run(flows: Platform) -> None:
    environment = {"FAAS_DIR": str(flows.directory), "PATH": str(Path(FAAS).parent)}
    command = [FAAS, "workflow", "run", "default/wf-hears", "--wait", "--id", "wf-left"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as waiting:
        assert waiting.stderr is not None
        assert waiting.stderr.readline() == "run default/wf-left\n"
        waiting.send_signal(2)
        rest = waiting.stderr.read()
    assert (waiting.returncode, "the run goes on" in rest, "Traceback" in rest) == (130, True, False)
    assert status_of(flows, "default/wf-left") == "running"
