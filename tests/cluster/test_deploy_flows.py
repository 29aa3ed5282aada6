"""Workflows on the platform in containers: deployed from outside and by kubectl, run, kept when a Pod ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.contracts.errors import Exit
from tests.cluster.deployed import ROOT, SYSTEM, Deployed
from tests.cluster.test_cluster_node import wait_until

pytestmark = pytest.mark.timeout(600)  # the first test waits for the whole platform to come up
CHAIN: list[Any] = [
    {"sum": {"call": "add", "with": {"x": "${ .x }", "y": "${ .y }"}}},
    {"double": {"call": "default/add", "with": {"x": "${ . }", "y": "${ . }"}}},
]


def workflow(name: str, tasks: list[Any], version: str = "0.1.0", use: Any = None, **spec: Any) -> dict[str, Any]:
    """A Workflow in the namespace `default`."""
    document = {"dsl": "1.0.3", "namespace": "default", "name": name, "version": version}
    definition = {"document": document, "do": tasks} | ({} if use is None else {"use": use})
    meta = {"name": name, "namespace": "default"}
    body = {"apiVersion": "faas.dev/v1alpha1", "kind": "Workflow", "metadata": meta}
    return body | {"spec": {"definition": definition, **spec}}


def deploy(platform: Deployed, folder: Path, manifest: dict[str, Any]) -> None:
    file = folder / "flow.json"
    file.write_text(json.dumps(manifest))
    platform.faas("deploy", str(file), check=True)


def runs_of(platform: Deployed, name: str) -> list[dict[str, Any]]:
    """A workflow's runs; none while no workflow service takes requests."""
    done = platform.faas("workflow", "list", f"default/{name}", "-o", "json")
    assert done.code in (0, Exit.UNAVAILABLE), done.err
    return list(json.loads(done.out)["items"]) if done.code == 0 else []


@pytest.fixture(scope="module")
def add(platform: Deployed) -> str:
    """The function `add` of the examples."""
    platform.faas("deploy", str(ROOT / "examples/add"), "--min", "1", check=True)
    return "add"


def test_a_workflow_is_deployed_and_run_from_outside(platform: Deployed, add: str, tmp_path: Path) -> None:
    deploy(platform, tmp_path, workflow("chain", CHAIN))
    done = platform.faas("workflow", "run", "default/chain", '{"x":3,"y":4}', "--wait", check=True)
    assert json.loads(done.out) == 14
    assert platform.faas("workflow", "definitions", check=True).out.splitlines()[1].split()[1:4] == [
        "chain", "True", "Accepted",
    ]  # fmt: skip


def test_kubectl_deploys_one_and_its_input_gets_a_run(platform: Deployed, add: str) -> None:
    platform.apply(workflow("applied", CHAIN, input={"x": 1, "y": 1}))
    platform.kubectl("wait", "--for=condition=Accepted", "wf/applied", "--timeout=120s", check=True)
    wait_until(lambda: [run["status"] for run in runs_of(platform, "applied")] == ["completed"], "its run has ended")
    shown = platform.kubectl("get", "wf", "applied", check=True).out.splitlines()
    assert shown[1].split()[:3] == ["applied", "True", "0.1.0"]
    wrong = json.dumps(workflow("other", CHAIN) | {"metadata": {"name": "applied"}})
    refused = platform.kubectl("apply", "-f", "-", stdin=wrong)
    assert (refused.code, "spec.definition.document.name" in refused.err) == (1, True)


def test_a_run_outlives_the_service(platform: Deployed, add: str, tmp_path: Path) -> None:
    """Its Pod is killed while the run waits for a timer of nats-server's."""
    deploy(platform, tmp_path, workflow("patient", [{"pause": {"wait": {"seconds": 6}}}, *CHAIN]))
    platform.faas("workflow", "run", "default/patient", '{"x":1,"y":2}', "--id", "patient-1", check=True)
    (pod,) = platform.service_pods("workflow")
    kill = ("delete", "pod", "-n", SYSTEM, pod["metadata"]["name"], "--grace-period=0", "--force")
    platform.kubectl(*kill, check=True)
    platform.kubectl("rollout", "status", "-n", SYSTEM, "deployment/workflow", "--timeout=120s", check=True)
    wait_until(lambda: [run["status"] for run in runs_of(platform, "patient")] == ["completed"], "the run has ended")
    assert (
        json.loads(platform.faas("workflow", "get", "default/patient-1", "-o", "json", check=True).out)["output"] == 6
    )


def test_a_secret_of_the_namespace_is_there_for_calls(platform: Deployed, add: str, tmp_path: Path) -> None:
    platform.kubectl("create", "secret", "generic", "pin", "--from-literal=code=very-secret-12", check=True)
    ask = {"sum": {"call": "add", "with": {"x": "${ $secrets.pin.code | length }", "y": 1}}}
    deploy(platform, tmp_path, workflow("secretive", [ask], use={"secrets": ["pin"]}))
    done = platform.faas("workflow", "run", "default/secretive", "--id", "secretive-1", "--wait", check=True)
    assert json.loads(done.out) == 15
    history = platform.faas("workflow", "history", "default/secretive-1", "-o", "json", check=True).out
    assert "very-secret-12" not in history + platform.kubectl("logs", "-n", SYSTEM, "deployment/workflow").out
    platform.kubectl("delete", "secret", "pin", check=True)


def test_http_calls_do_not_reach_into_the_cluster(platform: Deployed, tmp_path: Path) -> None:
    targets = ("http://gateway.faas-system.svc/healthz", "https://kubernetes.default.svc/", "http://169.254.169.254/")
    for number, target in enumerate(targets):
        call = {"ask": {"call": "http", "with": {"method": "get", "endpoint": target}}}
        deploy(platform, tmp_path, workflow(f"inward-{number}", [call]))
        done = platform.faas("workflow", "run", f"default/inward-{number}", "--wait")
        assert (done.code, "FAAS_ALLOWED_ADDRESSES" in done.err) == (1, True), done


def test_the_service_may_write_nothing_but_status(platform: Deployed) -> None:
    account = f"--as=system:serviceaccount:{SYSTEM}:faas-workflow"
    for verb, resource, allowed in (
        ("get", "secrets", "yes"), ("list", "secrets", "no"), ("patch", "workflows.faas.dev/status", "yes"),
        ("patch", "workflows.faas.dev", "no"), ("create", "pods", "no"), ("watch", "functions.faas.dev", "yes"),
    ):  # fmt: skip
        name, _, sub = resource.partition("/")
        asked = ("auth", "can-i", verb, name, *([f"--subresource={sub}"] if sub else []), account)
        assert platform.kubectl(*asked).out.strip() == allowed, asked


def test_everything_is_deleted_again(platform: Deployed) -> None:
    platform.kubectl("delete", "wf,fn", "--all", "-n", "default", check=True)
    assert platform.faas("workflow", "definitions", check=True).out == ""
