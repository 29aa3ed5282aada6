"""``faas deploy`` of workflows, and the verbs for definitions, against a server that speaks the gateway's protocol."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.contracts.errors import Code
from tests.support.canned import Asked, Say, canned_server
from tests.support.command import Here, error

WORKFLOWS = "/api/v1/namespaces/default/workflows"
TEXT = "document: { dsl: '1.0.3', namespace: default, name: flow, version: '0.1.0' }\ndo:\n- t: { set: { on: no } }\n"
PROBLEM = "/do/0/t/set/on: found 'x'; expected a jq program"


class Platform:
    """Keeps workflows; the one that is deployed goes through ``states`` one look at a time."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self.states = list(states)
        self.workflows: dict[str, dict[str, Any]] = {}

    def __call__(self, asked: Asked) -> Say:
        path = asked.path
        if asked.method == "PUT":
            known, workflow = path in self.workflows, msgspec.json.decode(asked.body)
            workflow["metadata"] |= {"generation": 3, "creationTimestamp": "2026-01-02T03:04:05Z"}
            self.workflows[path] = workflow
            return Say(200 if known else 201, json.dumps(workflow).encode())
        if path in (WORKFLOWS, "/api/v1/workflows"):
            return Say(200, json.dumps({"items": list(self.workflows.values())}).encode())
        if path not in self.workflows:
            return error(Code.WORKFLOW_NOT_FOUND, "workflow default/none does not exist")
        if asked.method == "DELETE":
            return Say(200, json.dumps(self.workflows.pop(path)).encode())
        if self.states:
            self.workflows[path]["status"] = self.states.pop(0)
        return Say(200, json.dumps(self.workflows[path]).encode())


def state(status: str, reason: str, message: str = "", generation: int = 3, **more: Any) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": status, "reason": reason, "message": message}
    return {"observedGeneration": generation, "conditions": [condition], **more}


ACCEPTED = state("True", "Accepted", "version 0.1.0 is what new runs take", version="0.1.0", definition="d" * 64)
OLD = state("False", "InvalidDefinition", "of the spec before", generation=2)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Here:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.yaml").write_text(TEXT)
    return Here(monkeypatch, capfd)


def test_a_definition_is_deployed_and_waited_for(here: Here) -> None:
    with canned_server(Platform(OLD, ACCEPTED)) as server:
        done = here(server, "deploy", "flow.yaml")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "deployed workflow default/flow (created)"
    assert " ".join(lines[1].split()) == "Accepted True Accepted: version 0.1.0 is what new runs take"
    assert lines[3] == "  faas workflow run default/flow '{}' --wait"
    assert lines[4] == f"  curl -X POST {server.url}{WORKFLOWS}/flow/runs -d '{{}}'"
    put = server.asked[0]
    assert (put.method, put.path) == ("PUT", f"{WORKFLOWS}/flow")
    assert json.loads(put.body)["spec"]["definition"]["do"] == [{"t": {"set": {"on": "no"}}}]


def test_a_refusal_lists_every_place(here: Here) -> None:
    with canned_server(Platform(OLD, state("False", "InvalidDefinition", f"{PROBLEM}; {PROBLEM}"))) as server:
        done = here(server, "deploy", "flow.yaml")
    assert done.code == 2
    assert done.err.splitlines() == [
        "error: workflow default/flow is not accepted: InvalidDefinition", f"  {PROBLEM}", f"  {PROBLEM}",
    ]  # fmt: skip


def test_a_schema_that_cannot_be_had_now_is_no_mistake_of_the_user(here: Here) -> None:
    said = "/input/schema/resource: found none that could be fetched"
    with canned_server(Platform(state("False", "ResourceUnavailable", said))) as server:
        done = here(server, "deploy", "flow.yaml")
    assert done.code == 4
    assert f"  {said}" in done.err.splitlines()
    assert "it is stored, and is accepted by itself once its schemas can be had" in done.err


def test_with_an_input_the_run_is_waited_for(here: Here, tmp_path: Path) -> None:
    indented = "".join(f"    {line}\n" for line in TEXT.splitlines())
    manifest = f"kind: Workflow\nmetadata: {{name: flow}}\nspec:\n  input: null\n  definition:\n{indented}"
    (tmp_path / "flow.yaml").write_text(manifest)
    with canned_server(Platform(ACCEPTED, ACCEPTED, ACCEPTED | {"run": "flow-1234"})) as server:
        done = here(server, "deploy", "flow.yaml")
    assert (done.code, done.err) == (0, "")
    assert "its run: faas workflow get default/flow-1234" in done.out.splitlines()


def test_one_that_nobody_looks_at_is_not_waited_for_for_ever(here: Here) -> None:
    with canned_server(Platform(OLD)) as server:
        done = here(server, "deploy", "flow.yaml", "--wait-timeout", "200ms")
        assert here(server, "deploy", "flow.yaml", "--no-wait").code == 0
    assert done.code == 5
    assert "workflow default/flow: " in done.err
    assert "faas status" in done.err


def test_nothing_is_sent_when_something_is_wrong_and_by_a_dry_run(here: Here, tmp_path: Path) -> None:
    with canned_server(Platform()) as server:
        assert here(server, "deploy", "flow.yaml", "--dry-run", "-o", "json").out.startswith("{")
        (tmp_path / "flow.yaml").write_text(TEXT.replace("set:", "sett:"))
        done = here(server, "deploy", "flow.yaml")
        assert server.asked == []
    assert done.code == 2
    assert "flow.yaml: line 3: /do/0/t: found" in done.err


def test_definitions_are_listed_shown_and_deleted(here: Here) -> None:
    with canned_server(Platform(ACCEPTED | {"versions": [{"version": "0.0.9", "definition": "x"}]})) as server:
        assert "no workflows" in here(server, "workflow", "definitions").err
        here(server, "deploy", "flow.yaml")
        for every in ((), ("-A",)):
            (line,) = here(server, "workflow", "definitions", *every).out.splitlines()[1:]
            assert line.split()[:5] == ["default", "flow", "True", "Accepted", "0.1.0"]
        shown = here(server, "workflow", "definitions", "flow").out
        assert "older       0.0.9" in shown
        assert "Accepted    True" in shown
        assert here(server, "workflow", "delete", "default/flow").out == "deleted default/flow\n"
        gone = here(server, "workflow", "delete", "flow")
    assert (gone.code, gone.err.splitlines()[0]) == (
        3, "error: workflow default/none does not exist (workflow_not_found)",
    )  # fmt: skip
