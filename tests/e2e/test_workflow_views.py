"""What is shown of runs of workflows: lists, histories, traces, diagrams."""

import json

import pytest

from tests.support.flows import deploy_flows, run, show
from tests.support.http import Answer
from tests.support.http import http as http_request
from tests.support.patience import PATIENCE
from tests.support.platform import Platform


@pytest.fixture(scope="module")
def flows(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    deploy_flows(platform, tmp_path_factory.mktemp("workflows"))
    return platform


def ask(platform: Platform, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    return http_request(method, f"{platform.gateway}/api/v1/namespaces/default{path}", body, headers, PATIENCE)


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
