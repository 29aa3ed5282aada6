"""The part of the specification's conformance kit that we have, by the in-memory driver."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from tests.workflow.ctk.driver import Case, Outcome
from tests.workflow.ctk.memory import MemoryDriver
from tests.workflow.ctk.run import run_directory

KIT = Path(__file__).parents[3] / "shared" / "openworkflow" / "ctk"
FEATURE = """
Feature: x
  Scenario: wrong expectation
    Given a workflow with definition:
    \"\"\"yaml
    document: { dsl: '1.0.3', namespace: default, name: x, version: '1.0.0' }
    do:
      - one: { set: { a: 1 } }
      - two: { set: { b: 1 } }
    \"\"\"
    When the workflow is executed
    Then the workflow should complete with output:
    \"\"\"yaml
    a: 1
    \"\"\"
  Scenario: right
    Given a workflow with definition:
    \"\"\"yaml
    document: { dsl: '1.0.3', namespace: default, name: x, version: '1.0.0' }
    do:
      - one: { set: { a: { b: [1, 2] } } }
      - two: { wait: PT1H }
    \"\"\"
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'a.b' property containing 2 items
    And one should run before two
  Scenario: unknown step
    When the moon is full
"""


@pytest.mark.skipif(not KIT.is_dir(), reason="the conformance kit is not beside the checkout")
def test_every_scenario_of_the_kit_passes() -> None:
    results = list(run_directory(KIT, MemoryDriver(), {}))
    assert len(results) >= 8
    assert [str(result) for result in results if result.failure] == []


HTTP = """
Feature: calls
  Scenario: mapped
    Given a workflow with definition:
    \"\"\"yaml
    document: { dsl: '1.0.3', namespace: default, name: x, version: '1.0.0' }
    do:
      - get:
          call: http
          with: { method: get, endpoint: { uri: 'https://pets.example/pet/{id}' }, query: { a: 1 } }
      - fail:
          try: [ { no: { call: http, with: { method: post, endpoint: 'https://pets.example/no', body: { b: 1 } } } } ]
          catch: { errors: { with: { status: 404 } } }
      - far:
          call: http
          with: { method: get, endpoint: https://elsewhere.example }
    \"\"\"
    And given the workflow input is:
    \"\"\"yaml
    id: 7
    \"\"\"
    When the workflow is executed
    Then the workflow should fault with error:
    \"\"\"yaml
    detail: host elsewhere.example has no --map
    instance: /do/2/far
    \"\"\"
    And the workflow output should have a 'path' property with value:
    \"\"\"yaml
    nothing
    \"\"\"
"""


class Pets(BaseHTTPRequestHandler):
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(404)

    def _answer(self, status: int) -> None:
        self.seen.append(f"{self.command} {self.path} {status}")
        body = json.dumps({"path": self.path}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_http_calls_go_to_the_stubs_that_hosts_are_mapped_to_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "x.feature").write_text(HTTP)
    with HTTPServer(("127.0.0.1", 0), Pets) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            hosts = {"pets.example": f"http://127.0.0.1:{server.server_port}"}
            (result,) = run_directory(tmp_path, MemoryDriver(), hosts)
        finally:
            server.shutdown()
            thread.join()
    assert Pets.seen == ["GET /pet/7?a=1 200", "POST /no 404"]
    assert "output has no path" in result.failure, "a faulted run has no output"


class Defective(MemoryDriver):
    def run(self, case: Case) -> Outcome:
        raise KeyError("a defect")


def test_what_goes_wrong_with_one_scenario_or_file_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.feature").write_text("Feature: x\nScenario: y\n  Given a\n  nonsense")
    (tmp_path / "b.feature").write_text(FEATURE)
    results = [str(result) for result in run_directory(tmp_path, Defective(), {})]
    assert results[0].startswith("FAIL a.feature is no feature file: ")
    assert results[0].endswith("'nonsense' is no step")
    assert [result.rpartition(": ")[2] for result in results[1:3]] == ["'a defect'", "'a defect'"]
    assert len(list(run_directory(tmp_path / "b.feature", MemoryDriver(), {}))) == 3, "of one file alone"


def test_the_runner_says_what_failed_and_exits_1(tmp_path: Path) -> None:
    (tmp_path / "x.feature").write_text(FEATURE)
    ran = subprocess.run(
        [sys.executable, "-m", "tests.workflow.ctk", str(tmp_path), "--map", "a.example=http://127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1, ran.stderr
    first, second, third, total = ran.stdout.splitlines()
    assert first.startswith("FAIL x.feature:3 wrong expectation: the workflow should complete with output:")
    assert first.endswith('output is {"b":1}, not {"a":1}')
    assert second == "ok   x.feature:16 right"
    assert third.endswith("unknown step: the moon is full")
    assert total == "1 of 3 scenarios pass"
