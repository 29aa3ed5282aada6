"""From a Function to Pods that answer, through the real API server, controllers and kubelet."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.canned import Say, canned_server
from tests.support.patience import eventually
from tests.support.scaler import FUNCTIONS, REPLICA_SETS, Stack, running_stack

SECRETS = "/api/v1/namespaces/default/secrets"
BROKEN = {"inline": {"main.py": "import nothing_of_the_kind\n"}}
DIGEST = "0f" * 32


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with (
        running_stack(tmp_path_factory.mktemp("stack")) as stack,
        canned_server(lambda asked: Say(404, b"{}")) as archives,
        stack.running_scaler(gateway_url=archives.url),
    ):
        yield stack


def reason(stack: Stack, name: str, type_: str = "Ready") -> tuple[str, str]:
    found = stack.condition(name, type_)
    return found.get("status", ""), found.get("reason", "")


def test_a_deployed_function_is_ready_and_says_what_it_is(stack: Stack) -> None:
    stack.deploy("plain")
    eventually(lambda: stack.is_ready("plain"), "ready")
    status = stack.status("plain")
    assert (status["replicas"], status["readyReplicas"], status["observedGeneration"]) == (1, 1, 1)
    (found,) = stack.replica_sets("plain").values()
    assert found["metadata"]["name"] == f"plain-{status['revision']}"
    (pod,) = stack.pods("plain")
    assert pod["metadata"]["labels"]["faas.dev/revision"] == status["revision"]
    assert reason(stack, "plain", "Progressing") == ("True", "Complete")


def test_at_rest_the_status_is_not_written(stack: Stack) -> None:
    stack.deploy("quiet", scale={"min": 1})
    eventually(lambda: stack.is_ready("quiet"), "ready")
    eventually(lambda: reason(stack, "quiet", "Progressing") == ("True", "Complete"), "complete")
    before = stack.api.get(f"{FUNCTIONS}/quiet")["metadata"]["resourceVersion"]
    stack.deploy("marker", scale={"min": 1})  # two more looks at everything have passed once this one is through
    eventually(lambda: stack.is_ready("marker"), "ready")
    stack.api.delete(f"{FUNCTIONS}/marker")
    eventually(lambda: not stack.replica_sets("marker"), "gone")
    assert stack.api.get(f"{FUNCTIONS}/quiet")["metadata"]["resourceVersion"] == before


def test_an_update_replaces_the_revision_and_nothing_is_left(stack: Stack) -> None:
    stack.deploy("moving")
    eventually(lambda: stack.is_ready("moving"), "ready")
    old = stack.status("moving")["revision"]
    stack.deploy("moving", source={"inline": {"main.py": "def handle(event):\n    return 2\n"}})
    new = eventually(lambda: _other(stack.status("moving")["revision"], old), "traffic moves")
    assert stack.status("moving")["readyReplicas"] >= 1
    eventually(lambda: list(stack.replica_sets("moving")) == [new], "the old revision is removed")
    eventually(lambda: {_revision(pod) for pod in stack.pods("moving")} == {new}, "its Pods are gone")


def test_a_change_of_scale_alone_restarts_nothing(stack: Stack) -> None:
    stack.deploy("steady")
    eventually(lambda: stack.is_ready("steady"), "ready")
    (before,) = stack.pods("steady")
    stack.deploy("steady", scale={"min": 2, "max": 4})
    eventually(lambda: stack.status("steady").get("readyReplicas") == 2, "two Pods")
    assert before["metadata"]["uid"] in {pod["metadata"]["uid"] for pod in stack.pods("steady")}
    assert len(stack.replica_sets("steady")) == 1


def test_a_broken_update_leaves_the_old_revision_and_says_why(stack: Stack) -> None:
    stack.deploy("careful")
    eventually(lambda: stack.is_ready("careful"), "ready")
    old = stack.status("careful")["revision"]
    stack.deploy("careful", source=BROKEN)
    eventually(lambda: reason(stack, "careful", "Progressing") == ("False", "CrashLoopBackOff"), "the failure shows")
    message = stack.condition("careful", "Progressing")["message"]
    assert "nothing_of_the_kind" in message
    assert "Traceback" not in message
    assert stack.status("careful")["revision"] == old
    assert reason(stack, "careful") == ("True", "PodsReady")


def test_a_first_deploy_that_fails_is_put_right_by_the_next(stack: Stack) -> None:
    stack.deploy("wrong", source=BROKEN)
    eventually(lambda: reason(stack, "wrong") == ("False", "CrashLoopBackOff"), "the failure shows")
    stack.deploy("wrong", source={"inline": {"main.py": "def handle(event):\n    return 1\n"}})
    eventually(lambda: stack.is_ready("wrong"), "ready")


def test_a_missing_image_shows(stack: Stack) -> None:
    stack.deploy("imageless", image="registry.example/none:1")
    eventually(lambda: "ImagePull" in reason(stack, "imageless")[1], "the reason shows")
    assert "registry.example/none:1" in stack.condition("imageless")["message"]


def test_a_missing_secret_shows_and_once_it_is_there_the_function_starts(stack: Stack) -> None:
    stack.deploy("secretive", envFrom=[{"secretRef": {"name": "late"}}])
    eventually(lambda: reason(stack, "secretive") == ("False", "CreateContainerConfigError"), "the reason shows")
    assert "late" in stack.condition("secretive")["message"]
    stack.api.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "late"}, "stringData": {}})
    eventually(lambda: stack.is_ready("secretive"), "ready")


def test_too_little_memory_shows(stack: Stack) -> None:
    greedy = "hold = bytearray(200_000_000)\nhold[::4096] = b'x' * len(hold[::4096])\nimport time\ntime.sleep(60)\n"
    stack.deploy("greedy", source={"inline": {"main.py": greedy}}, resources={"limits": {"memory": "100Mi"}})
    eventually(lambda: reason(stack, "greedy") == ("False", "OOMKilled"), "the reason shows")


def test_a_missing_archive_shows(stack: Stack) -> None:
    stack.deploy("packed", source={"archive": DIGEST})
    eventually(lambda: reason(stack, "packed") == ("False", "ArchiveNotFound"), "the reason shows")
    assert DIGEST[:12] in stack.condition("packed")["message"]


def test_a_spec_that_no_schema_can_refuse_is_explained(stack: Stack) -> None:
    stack.deploy("astray", source={"inline": {"../main.py": "x"}})
    eventually(lambda: reason(stack, "astray") == ("False", "InvalidSpec"), "the reason shows")
    assert "'../main.py' is not a relative path" in stack.condition("astray")["message"]
    assert not stack.replica_sets("astray")


def test_replicas_that_somebody_else_set_are_put_right(stack: Stack) -> None:
    stack.deploy("mine", scale={"min": 1})
    eventually(lambda: stack.is_ready("mine"), "ready")
    (name,) = (found["metadata"]["name"] for found in stack.replica_sets("mine").values())
    for wrong in ("5", "0"):
        command = ["kubectl", f"--kubeconfig={stack.server.kubeconfig}", "scale", "rs", name, f"--replicas={wrong}"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        eventually(lambda: stack.replicas("mine") == 1, f"put right from {wrong}")


def test_a_deleted_replica_set_is_made_again(stack: Stack) -> None:
    stack.deploy("stubborn")
    eventually(lambda: stack.is_ready("stubborn"), "ready")
    ((revision, before),) = stack.replica_sets("stubborn").items()
    stack.api.delete(f"{REPLICA_SETS}/{before['metadata']['name']}")
    uid = before["metadata"]["uid"]
    eventually(
        lambda: revision in (now := stack.replica_sets("stubborn")) and now[revision]["metadata"]["uid"] != uid,
        "another one is there",
    )


def test_deleting_a_function_removes_all_of_it(stack: Stack) -> None:
    stack.deploy("short-lived")
    eventually(lambda: stack.is_ready("short-lived"), "ready")
    stack.api.delete(f"{FUNCTIONS}/short-lived")
    eventually(lambda: not stack.replica_sets("short-lived"), "no ReplicaSet")
    eventually(lambda: not stack.pods("short-lived"), "no Pod")


def test_orphans_are_removed(stack: Stack) -> None:
    stack.deploy("parent")
    eventually(lambda: stack.is_ready("parent"), "ready")
    stack.api.delete(f"{FUNCTIONS}/parent", propagationPolicy="Orphan")
    eventually(lambda: not stack.replica_sets("parent"), "no ReplicaSet")
    eventually(lambda: not stack.pods("parent"), "no Pod")


def test_a_function_of_the_same_name_starts_anew(stack: Stack) -> None:
    for _ in range(3):
        stack.deploy("phoenix")
        eventually(lambda: stack.is_ready("phoenix"), "ready")
        stack.api.delete(f"{FUNCTIONS}/phoenix")
    stack.deploy("phoenix")
    eventually(lambda: stack.is_ready("phoenix"), "ready")
    uid = stack.api.get(f"{FUNCTIONS}/phoenix")["metadata"]["uid"]
    owned = eventually(
        lambda: [rs for rs in stack.replica_sets("phoenix").values() if _owner(rs) == uid], "a ReplicaSet of its own"
    )
    assert len(owned) == 1


def test_a_name_of_63_characters_works(stack: Stack, tmp_path: Path) -> None:
    name = "n" * 63
    stack.deploy(name)
    eventually(lambda: stack.is_ready(name), "ready")


def _other(revision: str, than: str) -> str:
    return revision if revision != than else ""


def _revision(pod: dict[str, Any]) -> str:
    return str(pod["metadata"]["labels"]["faas.dev/revision"])


def _owner(found: dict[str, Any]) -> str:
    return str(found["metadata"]["ownerReferences"][0]["uid"])
