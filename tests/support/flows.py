"""Workflows for tests of all that shows runs, on a whole platform, and what such tests ask of them."""

import json
from pathlib import Path
from typing import Any

from tests.support.patience import eventually
from tests.support.platform import Finished, Platform
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


def deploy_flows(platform: Platform, folder: Path) -> None:
    """Deploys the workflows and the function that they call."""
    source = "def handle(event):\n    return event['x'] + event['y']\n"
    platform.faas("deploy", str(write(folder / "wf-add", source)), check=True)
    for name, tasks in FLOWS.items():
        file = folder / f"{name}.yaml"
        file.write_text(HEAD.format(name=name) + tasks)
        platform.faas("deploy", str(file), check=True)


def run(platform: Platform, name: str, *arguments: str) -> Finished:
    """``faas workflow run`` of one of them."""
    return platform.faas("workflow", "run", f"default/{name}", *arguments)


def show(platform: Platform, verb: str, run: str, *arguments: str) -> Any:
    """What a verb says of a run, as JSON."""
    return json.loads(platform.faas("workflow", verb, run, "-o", "json", *arguments, check=True).out)


def status_of(platform: Platform, run: str) -> str:
    """Its status."""
    return str(show(platform, "get", run)["run"]["status"])


def until(platform: Platform, run: str, status: str, waits: str = "") -> None:
    """Returns once a run has a status, and waits for something of this kind."""

    def reached() -> bool:
        view = show(platform, "get", run)
        kinds = {found["kind"] for found in view["waiting"]}
        return view["run"]["status"] == status and (not waits or waits in kinds)

    eventually(reached)
