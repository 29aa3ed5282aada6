"""Runs of workflows through every door: the command, HTTP, a plain NATS client, events; and what is shown of them."""

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

from tests.support.http import Answer
from tests.support.http import http as http_request
from tests.support.patience import PATIENCE, eventually
from tests.support.platform import FAAS, Finished, Platform
from tests.support.source import write

HEAD = "document: {{ dsl: '1.0.3', namespace: default, name: {name}, version: '1.0.0' }}\n"
FLOWS = {
    "wf-sum": """
do:
- first: { set: '${ {x: .x, y: (.y // 1)} }' }
- sum: { call: wf-add }
- double: { call: wf-add, with: { x: '${ . }', y: '${ . }' } }
""",
    "wf-fails": """
do:
- careful:
    try:
    - once: { call: wf-add, with: { x: 1 } }
    catch: { as: problem, do: [{ note: { set: { caught: '${ $problem.status }' } } }] }
- last: { if: .caught != null, raise: { error: { type: /errors/told, status: 418, title: Told, detail: 'no tea' } } }
""",
    "wf-echo": """
do:
- echo: { set: '${ . }' }
""",
    "wf-parent": """
do:
- child: { run: { workflow: { namespace: default, name: wf-sum, version: latest, input: { x: 20, y: 1 } } } }
""",
    "wf-hears": """
do:
- hear: { listen: { to: { one: { with: { type: wf.order } } } } }
- keep: { set: '${ {order: .[0].id} }' }
""",
    "wf-parts": """
do:
- both:
    fork: { branches: [{ a: { call: wf-add, with: { x: 1, y: 1 } } }, { b: { wait: { milliseconds: 20 } } }] }
- tries:
    try: [{ risky: { raise: { error: { type: /errors/e, status: 503 } } } }]
    catch: { retry: { delay: PT0.01S, limit: { attempt: { count: 1 } } }, do: [{ undo: { set: { n: 0 } } }] }
- each: { for: { in: '[1, 2]' }, do: [{ one: { set: '${ {n: (.n + $item)} }' } }] }
- never: { if: .n > 99, set: { n: 1 } }
""",
}


@pytest.fixture(scope="module")
def flows(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("workflows")
    source = "def handle(event):\n    return event['x'] + event['y']\n"
    platform.faas("deploy", str(write(folder / "wf-add", source)), check=True)
    for name, tasks in FLOWS.items():
        file = folder / f"{name}.yaml"
        file.write_text(HEAD.format(name=name) + tasks)
        platform.faas("deploy", str(file), check=True)
    return platform


def run(platform: Platform, name: str, *arguments: str) -> Finished:
    return platform.faas("workflow", "run", f"default/{name}", *arguments)


def show(platform: Platform, verb: str, run: str, *arguments: str) -> Any:
    return json.loads(platform.faas("workflow", verb, run, "-o", "json", *arguments, check=True).out)


def ask(platform: Platform, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    return http_request(method, f"{platform.gateway}/api/v1/namespaces/default{path}", body, headers, PATIENCE)


def status_of(platform: Platform, run: str) -> str:
    return str(show(platform, "get", run)["run"]["status"])


def until(platform: Platform, run: str, status: str, waits: str = "") -> None:
    """Returns once a run has a status, and waits for something of this kind."""

    def reached() -> bool:
        view = show(platform, "get", run)
        kinds = {found["kind"] for found in view["waiting"]}
        return view["run"]["status"] == status and (not waits or waits in kinds)

    eventually(reached)


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


def test_runs_are_listed_by_workflow_and_status(flows: Platform) -> None:
    for number in range(3):
        run(flows, "wf-parts", "--id", f"wf-listed-{number}", "--wait")
    found = json.loads(flows.faas("workflow", "list", "default/wf-parts", "-o", "json", check=True).out)
    mine = [item["id"] for item in found["items"] if item["id"].startswith("wf-listed")]
    assert mine == ["wf-listed-2", "wf-listed-1", "wf-listed-0"], "the newest first"
    assert {item["workflow"] for item in found["items"]} == {"wf-parts"}
    shown = flows.faas("workflow", "list", "wf-parts", "--status", "completed", "--limit", "2", check=True)
    assert shown.out.splitlines()[0].split() == ["RUN", "WORKFLOW", "VERSION", "STATUS", "AGE", "TOOK"]
    assert len(shown.out.splitlines()) == 3
    assert "--limit shows more" in shown.err
    none = flows.faas("workflow", "list", "wf-parts", "--status", "faulted", check=True)
    assert (none.out, none.err) == ("", "no such runs in the namespace default\n")


def test_a_history_comes_in_pages(flows: Platform) -> None:
    run(flows, "wf-parts", "--id", "wf-history", "--wait")
    whole = show(flows, "history", "default/wf-history")
    records = [record for entry in whole["entries"] for record in entry["records"]]
    assert (records[0]["record"], records[-1]["record"]) == ("RunStarted", "RunCompleted")
    entries, start = [], 0
    for _ in range(len(whole["entries"]) + 1):
        page = json.loads(ask(flows, "GET", f"/runs/wf-history/history?start={start}&limit=1").body)
        entries += page["entries"]
        start = page["next"]
        if not start:
            break
    assert entries == whole["entries"]
    text = flows.faas("workflow", "history", "default/wf-history", check=True).out.splitlines()
    assert len(text) == len(records)
    assert "RunStarted" in text[0]


def test_a_trace_has_branches_attempts_and_rounds(flows: Platform) -> None:
    run(flows, "wf-parts", "--id", "wf-traced", "--wait")
    root = show(flows, "trace", "default/wf-traced")["root"]
    both, tries, each, never = root["children"]
    assert (root["status"], root["output"], never["status"]) == ("completed", {"n": 3}, "skipped")
    assert [(node["branch"], node["name"], node["status"]) for node in both["children"]] == [
        (0, "a", "completed"), (1, "b", "completed"),
    ]  # fmt: skip
    assert both["output"][0] == 2
    assert [attempt["error"]["status"] for attempt in tries["attempts"]] == [503, 503]
    assert [(node["name"], node["status"]) for node in tries["children"]] == [
        ("risky", "faulted"), ("risky", "faulted"), ("undo", "completed"),
    ]  # fmt: skip
    assert [(node["round"], node["output"]) for node in each["children"]] == [(0, {"n": 1}), (1, {"n": 3})]
    shown = flows.faas("workflow", "trace", "default/wf-traced", check=True).out
    for line in ("├─ ✓ both  fork  completed", "│  ├─ ✓ one  set  round 1  completed", "└─ - never  set  skipped"):
        assert line in shown


def test_a_trace_names_the_runs_that_a_run_started(flows: Platform) -> None:
    done = run(flows, "wf-parent", "--id", "wf-parent", "--wait")
    assert (done.code, done.out) == (0, "42\n")
    (child,) = show(flows, "trace", "default/wf-parent")["root"]["children"]
    assert (child["target"], child["status"]) == ("default/wf-sum", "completed")
    assert child["run"].startswith("default/wf-sum-")
    assert show(flows, "get", child["run"])["input"] == {"x": 20, "y": 1}
    assert f"run default/wf-sum as {child['run']}" in flows.faas("workflow", "trace", "default/wf-parent").out


def test_a_diagram_has_the_tasks_and_a_runs_state(flows: Platform) -> None:
    plain = flows.faas("workflow", "diagram", "default/wf-parts", check=True).out
    assert plain.startswith('flowchart TD\n  start(["wf-parts 1.0.0"])\n')
    assert "classDef" not in plain
    run(flows, "wf-parts", "--id", "wf-drawn", "--wait")
    drawn = flows.faas("workflow", "diagram", "--run", "default/wf-drawn", check=True).out
    assert drawn.startswith(plain.rstrip("\n"))
    classes = {
        line.split()[2]: line.split()[1].split(",") for line in drawn.splitlines() if line.startswith("  class ")
    }
    assert {status: len(ids) for status, ids in classes.items()} == {"completed": 7, "faulted": 1, "skipped": 1}
    document = json.loads(flows.faas("workflow", "diagram", "--run", "default/wf-drawn", "-o", "json", check=True).out)
    assert document["diagram"] == drawn


def test_a_run_with_the_largest_input_and_output_can_be_looked_at(flows: Platform) -> None:
    text = "x" * (8 * 1024 * 1024 - 5000)
    answer = ask(flows, "POST", "/workflows/wf-echo/runs?id=wf-large", json.dumps(text).encode(), Prefer="wait=60")
    view = json.loads(answer.body)
    assert (answer.status, view["run"]["status"]) == (200, "completed")
    assert view["output"].endswith(f"({len(text) + 2} bytes)"), "with the rest it would not fit into a message"
    root = show(flows, "trace", "default/wf-large")["root"]
    assert root["output"].endswith(f"({len(text) + 2} bytes)")


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
