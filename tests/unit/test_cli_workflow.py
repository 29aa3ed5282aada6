"""How `faas workflow` shows runs: trees, flowcharts, progress, history lines."""

import json
from typing import Any

import msgspec
import pytest

from cli.options import bare_wait
from cli.workflow.diagram import latest
from cli.workflow.history import line
from cli.workflow.mermaid import flowchart
from cli.workflow.progress import Follower, Printer
from cli.workflow.runs import exit_code, problem, span
from cli.workflow.trace import lines
from services.contracts.runs import RunSummary
from services.contracts.workflow import parse_yaml
from services.workflow.views.trace import trace
from tests.support.workflows import EVERYTHING
from tests.workflow.ctk.simulation import HEAD, Simulation

RUN = RunSummary("default", "run1", "test", "1.0.0", "running", 0.0)


def root_of(run: Simulation) -> dict[str, Any]:
    """A trace as it comes over HTTP."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(trace(run.plan, run.records, RUN)))["root"]
    return found


TRY = """do:
- pair: { fork: { branches: [{ one: { set: { a: 1 } } }, { two: { wait: PT3S } }] } }
- careful:
    try: [{ risky: { call: f } }]
    catch: { retry: { delay: PT2S, limit: { attempt: { count: 1 } } }, do: [{ undo: { set: { undone: true } } }] }
"""


def test_a_trace_is_a_tree() -> None:
    run = Simulation(TRY).start()
    run.pass_time()
    run.fail()
    run.pass_time()
    run.fail(500, "runtime")
    shown = list(lines(root_of(run)))
    assert [text for text in shown if any(mark in text for mark in "✓✗⊘…▸·")] == [
        "✓ test  workflow  completed  5.0 s",
        "├─ ✓ pair  fork  completed  3.0 s",
        "│  ├─ ✓ one  set  branch 1  completed  0 ms",
        "│  └─ ✓ two  wait  branch 2  completed  3.0 s",
        "└─ ✓ careful  try  completed  2.0 s",
        "   ├─ ✗ risky  call f  faulted  0 ms",
        "   ├─ ✗ risky  call f  attempt 2  faulted  0 ms",
        "   └─ ✓ undo  set  completed  0 ms",
    ]
    assert "│    input   {}" in shown
    assert '   │    output  {"undone":true}' in shown
    assert any("attempt 1" in text and text.endswith("failed (503); at /do/1/careful/try/0/risky") for text in shown)
    assert any("waited  for retry" in text and "until" in text for text in shown)


def test_what_was_left_out_is_said() -> None:
    node = {"name": "a", "kind": "for", "status": "running", "omitted": 7, "children": []}
    assert list(lines(node)) == ["▸ a  for  running", "├─ … 7 older tasks left out"]


def test_a_flowchart_of_every_part_of_the_language() -> None:
    text = flowchart(parse_yaml(EVERYTHING), {})
    assert text.startswith('flowchart TD\n  start(["everything 0.1.0-rc.1+b2"])\n  finish(["end"])\n  start --> n0\n')
    rows = [row.strip() for row in text.splitlines()]
    assert text.count("subgraph ") == rows.count("end")
    for row in (
        'n0[["first<br/>if, call http"]]', "n0 --> n1", 'subgraph n6["steps<br/>do"]',
    ):  # fmt: skip
        assert row in rows, row
    choose = next(row.partition("{")[0] for row in rows if "choose<br/>switch" in row)
    attempt = next(
        row.split('["')[0].removeprefix("subgraph ") for row in rows if "attempt<br/>try, with retries" in row
    )
    assert f'{choose} -->|"cheap"| {attempt}' in rows
    assert f'{attempt}try -.->|"error"| {attempt}catch' in rows
    assert f'{attempt} -.->|"caught"| {choose}' in rows


def test_a_flowchart_with_the_state_of_a_run() -> None:
    run = Simulation(TRY).start()
    run.pass_time()
    statuses = latest(root_of(run))
    text = flowchart(parse_yaml(HEAD + TRY), statuses)
    assert statuses["/do/1/careful/try/0/risky"] == "waiting"
    assert [row for row in text.splitlines() if row.startswith("  class ")] == [
        "  class n0,n1,n2 completed", "  class n3 running", "  class n4 waiting",
    ]  # fmt: skip
    assert text.count("classDef") == 3


def test_names_cannot_break_a_flowchart() -> None:
    name = 'a"] --> b; <script> # & `'
    text = flowchart(parse_yaml(f"{HEAD}do: {json.dumps([{name: {'set': {'a': 1}}}])}"), {})
    assert '  n0["a#quot;] --#gt; b; #lt;script#gt; #35; #amp; #96;<br/>set"]' in text.splitlines()


def test_a_flowchart_follows_then() -> None:
    tasks = """do:
    - a: { set: { x: 1 }, then: c }
    - b: { set: { x: 1 }, then: end }
    - c: { switch: [{ yes: { when: .x, then: exit } }] , then: b }
    """
    rows = flowchart(parse_yaml(HEAD + tasks), {}).splitlines()
    edges = {row.strip() for row in rows if "-->" in row}
    assert edges == {"start --> n0", "n0 --> n2", "n1 --> finish", 'n2 -->|"yes"| finish', "n2 --> n1"}


def event(kind: str, **data: Any) -> bytes:
    return json.dumps({"type": f"io.serverlessworkflow.{kind}.v1", "data": data}).encode()


def test_progress_tells_what_a_reader_wants_to_know() -> None:
    follower = Follower()
    at = {"startedAt": "2026-01-01T00:00:00.000Z"}
    done = {"completedAt": "2026-01-01T00:00:02.500Z"}
    error = {"title": "Timeout", "status": 408, "detail": "too long", "instance": "/do/0/a"}
    told: list[tuple[str, dict[str, Any], str | None]] = [
        ("workflow.started", {}, None), ("task.created", {"task": "/do/0/a"}, None),
        ("task.started", {"task": "/do/0/a"} | at, "▸ a  started"),
        ("task.completed", {"task": "/do/0/a"} | done, "✓ a  2.5 s"),
        ("task.created", {"task": "/do/1/b~1c"}, None),
        ("task.completed", {"task": "/do/1/b~1c"} | done, "- b/c  skipped"),
        ("task.completed", {"task": "/do/1/x"} | done, "✓ x  completed"),  # it began before anybody looked
        ("task.started", {"task": "/do/2/d"} | at, "▸ d  started"),
        ("task.faulted", {"task": "/do/0/a", "error": error}, "✗ a  faulted  Timeout (408); too long; at /do/0/a"),
        ("task.faulted", {"task": "/do/2/d", "error": error}, "✗ d  faulted"),
        ("task.retried", {"task": "/do/2/d"}, "↻ d  tries again"),
        ("task.cancelled", {"task": "/do/2/d"}, "⊘ d  cancelled"),
        ("workflow.suspended", {}, "… run  suspended"),
        ("workflow.correlation-started", {}, None), ("unknown.thing", {}, None),
    ]  # fmt: skip
    for kind, data, said in told:
        step = follower.take(event(kind, **data))
        assert (None if step is None else str(step)) == said, kind
    assert not follower.ended
    follower.take(event("workflow.completed"))
    assert follower.ended
    assert follower.running == {}


def test_a_terminal_has_one_line_for_what_runs() -> None:
    written: list[str] = []
    follower, printer = Follower(), Printer(True, written.append)
    for kind, task in (("started", "/do/0/a"), ("started", "/do/0/a/do/0/b"), ("completed", "/do/0/a/do/0/b")):
        step = follower.take(event(f"task.{kind}", task=task, startedAt="2026-01-01T00:00:00Z"))
        assert step is not None
        printer.show(step, follower.running)
    printer.clear()
    assert written == ["▸ a", "\r\x1b[K", "▸ a, b", "\r\x1b[K", "✓ b  0 ms\n", "▸ a", "\r\x1b[K"]


def test_a_task_that_was_skipped_after_a_pause_is_not_taken_for_one_that_ran() -> None:
    follower = Follower()
    for verb in ("created", "suspended", "resumed"):
        assert follower.take(event(f"task.{verb}", task="/do/0/a")) is None
    assert str(follower.take(event("task.completed", task="/do/0/a"))) == "- a  skipped"


def test_records_are_one_line() -> None:
    started = {"record": "TaskStarted", "at": 0, "frame": 3, "input": {"a": 1}}
    assert line(12, started)[:10] == "      12  "
    assert line(12, started)[22:] == '  TaskStarted    3  input={"a":1}'


def test_errors_exit_codes_and_spans() -> None:
    assert problem({"type": "https://x/errors/timeout", "status": 408}) == ["timeout (408)"]
    assert problem({}) == ["error"]
    assert [exit_code(s) for s in ("completed", "faulted", "cancelled", "running", "suspended")] == [0, 1, 1, 5, 5]
    spans = [span(0.0, end) for end in (0.0004, 1.5, 150, 8000, 200_000)]
    assert spans == ["0 ms", "1.5 s", "2 min 30 s", "2 h 13 min", "2 d 7 h"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["w", "--wait"], ["w", "--wait="]),
        (["w", "--wait", "{}"], ["w", "--wait=", "{}"]),
        (["w", "--wait", "5", "{}"], ["w", "--wait=5", "{}"]),
        (["--wait", "1m30s", "w"], ["--wait=1m30s", "w"]),
        (["w", "--wait=3", "7"], ["w", "--wait=3", "7"]),
        (["w", "--wait", "-5"], ["w", "--wait=", "--", "-5"]),
        (["w", "-1.5", "--wait=6", "-r"], ["w", "--wait=6", "-r", "--", "-1.5"]),
        (["w", "--", "--wait", "5"], ["w", "--", "--wait", "5"]),
    ],
)
def test_wait_takes_a_duration_that_stands_behind_it(given: list[str], read: list[str]) -> None:
    assert bare_wait(given, takes_next=True) == read
