"""Workflows as resources: deployed by both commands, accepted or refused; their input, secrets and end."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.http import http
from tests.support.patience import PATIENCE, eventually
from tests.support.platform import Finished, Platform
from tests.support.source import write

HEAD = "{{ dsl: '1.0.3', namespace: default, name: {name}, version: '{version}' }}"
CLOUD_EVENT = {"Content-Type": "application/cloudevents+json"}
kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed on this machine")


def definition(name: str, tasks: str, version: str = "1.0.0") -> str:
    return f"document: {HEAD.format(name=name, version=version)}\n{tasks}"


def manifest(name: str, tasks: str, spec: str = "") -> str:
    inner = "".join(f"    {line}\n" for line in definition(name, tasks).splitlines())
    head = "apiVersion: faas.dev/v1alpha1\nkind: Workflow\nmetadata:\n  name: "
    return f"{head}{name}\nspec:\n{spec}  definition:\n{inner}"


def deploy(platform: Platform, folder: Path, text: str, check: bool = False) -> Finished:
    file = folder / "flow.yaml"
    file.write_text(text)
    return platform.faas("deploy", str(file), check=check)


def workflow(platform: Platform, name: str) -> dict[str, Any]:
    return dict(json.loads(platform.faas("workflow", "definitions", name, "-o", "json", check=True).out))


def runs(platform: Platform, name: str) -> list[dict[str, Any]]:
    found = json.loads(platform.faas("workflow", "list", name, "-o", "json", check=True).out)
    return list(found["items"])


def output(platform: Platform, run: str) -> Any:
    """The output of a run that has ended by itself."""
    found = json.loads(platform.faas("workflow", "get", f"default/{run}", "-o", "json", check=True).out)
    return found["output"] if found["run"]["status"] == "completed" else found["run"]["status"]


def test_an_input_gets_one_run_whatever_is_deployed_later(platform: Platform, tmp_path: Path) -> None:
    tasks = "do:\n- keep: { set: { given: '${ . }' } }\n"
    done = deploy(platform, tmp_path, manifest("wr-once", tasks, "  input: null\n"), check=True)
    run = workflow(platform, "wr-once")["status"]["run"]
    assert f"its run: faas workflow get default/{run}" in done.out
    eventually(lambda: output(platform, run) == {"given": None}, PATIENCE)
    deploy(platform, tmp_path, manifest("wr-once", tasks, "  input: { a: 1 }\n"), check=True)
    assert [each["id"] for each in runs(platform, "wr-once")] == [run]


def test_what_is_wrong_is_told_and_leaves_older_versions_as_they_are(platform: Platform, tmp_path: Path) -> None:
    good = "do:\n- keep: { set: { n: 1 } }\n"
    deploy(platform, tmp_path, definition("wr-versions", good), check=True)
    before = workflow(platform, "wr-versions")
    done = deploy(platform, tmp_path, definition("wr-versions", "do:\n- keep: { sett: { n: 2 } }\n", "1.1.0"))
    assert done.code == 2
    assert "flow.yaml: line 3: /do/0/keep: found" in done.err
    assert workflow(platform, "wr-versions") == before
    done = deploy(platform, tmp_path, definition("wr-versions", "do:\n- keep: { set: '${ .a == }' }\n", "1.1.0"))
    assert done.code == 2
    assert "is not accepted: InvalidDefinition" in done.err
    assert "/do/0/keep/set: found '.a =='; expected a jq program" in done.err
    refused = platform.faas("workflow", "run", "default/wr-versions", "--wait")
    assert (refused.code, "workflow_not_accepted" in refused.err) == (2, True)
    deploy(platform, tmp_path, definition("wr-versions", "do:\n- keep: { set: { n: 3 } }\n", "1.2.0"), check=True)
    assert [each["version"] for each in workflow(platform, "wr-versions")["status"]["versions"]] == ["1.2.0", "1.0.0"]


def test_an_older_version_runs_when_it_is_asked_for(platform: Platform, tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        text = definition("wr-child", f"do:\n- keep: {{ set: {{ of: '{version}' }} }}\n", version)
        deploy(platform, tmp_path, text, check=True)
    child = "run: { workflow: { namespace: default, name: wr-child, version: '%s' } }"
    tasks = "".join(f"- t{n}: {{ {child % version}, export: {{ as: '$context + {{t{n}: .of}}' }} }}\n"
                    for n, version in enumerate(("1.0.0", "latest")))  # fmt: skip
    deploy(
        platform,
        tmp_path,
        definition("wr-parent", f"do:\n{tasks}- all: {{ set: {{ of: '${{ $context }}' }} }}\n"),
        check=True,
    )
    done = platform.faas("workflow", "run", "default/wr-parent", "--wait", check=True)
    assert json.loads(done.out) == {"of": {"t0": "1.0.0", "t1": "2.0.0"}}


def test_a_deleted_workflow_starts_nothing_and_its_runs_go_on(platform: Platform, tmp_path: Path) -> None:
    tasks = "do:\n- hear: { listen: { to: { one: { with: { type: wr.go } } } } }\n- keep: { set: { done: true } }\n"
    deploy(platform, tmp_path, definition("wr-gone", tasks), check=True)
    platform.faas("workflow", "run", "default/wr-gone", "--id", "wr-gone-1", check=True)
    assert platform.faas("workflow", "delete", "default/wr-gone", check=True).out == "deleted default/wr-gone\n"
    eventually(lambda: platform.faas("workflow", "run", "default/wr-gone").code == 3, PATIENCE)
    event = b'{"specversion":"1.0","id":"1","source":"/t","type":"wr.go"}'
    answer = http("POST", f"{platform.gateway}/api/v1/namespaces/default/events", event, CLOUD_EVENT, PATIENCE)
    assert answer.status < 300, answer.body
    eventually(lambda: output(platform, "wr-gone-1") == {"done": True}, PATIENCE)


@kubectl
def test_kubectl_deploys_waits_and_is_told_what_is_wrong(platform: Platform, tmp_path: Path) -> None:
    file = tmp_path / "flow.yaml"
    file.write_text(manifest("wr-kubectl", "do:\n- keep: { set: { n: 1 } }\n", "  input: {}\n"))
    platform.kubectl("apply", "-f", str(file), check=True)
    platform.kubectl("wait", "--for=condition=Accepted", "wf/wr-kubectl", "--timeout=30s", check=True)
    listed = platform.kubectl("get", "wf", "wr-kubectl", check=True).out.splitlines()
    assert listed[0].split() == ["NAME", "ACCEPTED", "VERSION", "AGE"]
    assert listed[1].split()[:3] == ["wr-kubectl", "True", "1.0.0"]
    eventually(lambda: [each["status"] for each in runs(platform, "wr-kubectl")] == ["completed"], PATIENCE)
    file.write_text(file.read_text().replace("name: wr-kubectl,", "name: another,"))
    refused = platform.kubectl("apply", "-f", str(file))
    assert refused.code == 1
    assert "spec.definition.document.name" in refused.err
    file.write_text(manifest("wr-elsewhere", "do: []\n").replace("namespace: default", "namespace: elsewhere"))
    platform.kubectl("apply", "-f", str(file), check=True)
    platform.kubectl("wait", "--for=condition=Accepted=False", "wf/wr-elsewhere", "--timeout=30s", check=True)
    (condition,) = workflow(platform, "wr-elsewhere")["status"]["conditions"]
    assert condition["message"].startswith('/document/namespace: found "elsewhere"; expected default')
    platform.kubectl("delete", "wf", "wr-kubectl", "wr-elsewhere", check=True)


@kubectl
def test_a_secret_reaches_a_call_and_nothing_that_is_kept(platform: Platform, tmp_path: Path) -> None:
    platform.faas(
        "deploy", str(write(tmp_path / "wr-echo", "def handle(event):\n    return len(event['k'])\n")), check=True
    )
    arguments = ("--from-literal=k=very-secret-9", "--from-literal=n=1")
    platform.kubectl("create", "secret", "generic", "wr-key", *arguments, check=True)
    tasks = (
        "use: { secrets: [wr-key, wr-none] }\ndo:\n- ask: { call: wr-echo, with: { k: '${ $secrets[\"%s\"].k }' } }\n"
    )
    deploy(platform, tmp_path, definition("wr-secret", tasks % "wr-key"), check=True)
    done = platform.faas("workflow", "run", "default/wr-secret", "--id", "wr-secret-1", "--wait", check=True)
    assert done.out.strip() == str(len("very-secret-9"))
    for verb in ("history", "trace"):
        assert (
            "very-secret-9" not in platform.faas("workflow", verb, "default/wr-secret-1", "-o", "json", check=True).out
        )
    deploy(platform, tmp_path, definition("wr-secret", tasks % "wr-none"), check=True)
    missing = platform.faas("workflow", "run", "default/wr-secret", "--wait")
    assert missing.code == 1
    assert "403" in missing.err or "authorization" in missing.err
