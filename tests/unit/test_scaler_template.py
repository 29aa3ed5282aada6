"""The Pod that is made from a Function, and the revision that names it."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.local.kubelet.environment import expand
from services.contracts import archives
from services.contracts.names import FunctionRef
from services.contracts.resources import Function
from services.scaler.template import InvalidSpec, replica_set, revision_of
from tests.support.world import PLATFORM, make_function


def container(function: Function) -> dict[str, Any]:
    found: dict[str, Any] = revision_of(function, PLATFORM).template["spec"]["containers"][0]
    return found


def env(function: Function) -> dict[str, str]:
    return {item["name"]: item.get("value", "") for item in container(function)["env"]}


def test_a_python_function_gets_what_its_runtime_reads() -> None:
    function = make_function(timeout="1500ms", concurrency=3, handler="app:run", env=[{"name": "A", "value": "b"}])
    revision = revision_of(function, PLATFORM)
    assert env(function) == {
        "FAAS_NAMESPACE": "default",
        "FAAS_FUNCTION": "add",
        "FAAS_REVISION": revision.hash,
        "FAAS_HANDLER": "app:run",
        "FAAS_TIMEOUT_MS": "1500",
        "FAAS_CONCURRENCY": "3",
        "FAAS_SOURCE_INLINE": '{"main.py":"x = 1"}',
        "A": "b",
    }
    assert container(function)["image"] == "localhost/faas-python:0.1"
    assert revision.template["spec"]["terminationGracePeriodSeconds"] == 7


def test_only_an_image_of_ours_may_do_without_a_volume() -> None:
    without = PLATFORM._replace(tmp_volume=False)
    for function, platform, volumes in (
        (make_function(), PLATFORM, ["tmp"]),
        (make_function(), without, []),
        (make_function(source=None, image="i:1"), without, ["tmp"]),
    ):
        spec = revision_of(function, platform).template["spec"]
        assert [volume["name"] for volume in spec.get("volumes", [])] == volumes
        assert [mount["name"] for mount in spec["containers"][0].get("volumeMounts", [])] == volumes


def test_an_image_gets_no_source() -> None:
    function = make_function(image="registry.example/own:1")
    assert container(function)["image"] == "registry.example/own:1"
    assert not {"FAAS_HANDLER", "FAAS_SOURCE_INLINE", "FAAS_ARCHIVE_URL"} & env(function).keys()
    assert "command" not in container(function)


def test_an_archive_comes_with_a_token_for_it_alone() -> None:
    digest = "ab" * 32
    found = env(make_function(source={"archive": digest}))
    assert found["FAAS_ARCHIVE_URL"] == f"http://127.0.0.1:8080/api/v1/namespaces/default/archives/{digest}"
    assert found["FAAS_ARCHIVE_SHA256"] == digest
    assert archives.may_fetch(b"secret", "default", digest, found["FAAS_ARCHIVE_TOKEN"])
    assert found["FAAS_ARCHIVE_TOKEN"] == archives.fetch_token(b"secret", FunctionRef("default", "add"), digest)


def test_pods_keep_to_the_restricted_standard() -> None:
    spec = revision_of(make_function(), PLATFORM).template["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["volumes"] == [{"name": "tmp", "emptyDir": {}}]
    assert spec["containers"][0]["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    probe = spec["containers"][0]["readinessProbe"]
    assert (probe["httpGet"], probe["periodSeconds"]) == ({"path": "/healthz", "port": 8080}, 1)


def test_what_the_user_may_set_passes_as_it_is() -> None:
    extra: dict[str, Any] = {
        "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}}],
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "c"}}],
        "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}},
    }
    found = container(make_function(**extra))
    assert found["env"][-1] == extra["env"][0]
    assert found["envFrom"] == extra["envFrom"]
    assert found["resources"] == extra["resources"]


def test_the_replica_set_belongs_to_its_function() -> None:
    function = make_function()
    revision = revision_of(function, PLATFORM)
    made = replica_set(function, revision, 3)
    assert made["metadata"]["name"] == f"add-{revision.hash}"
    assert made["spec"]["replicas"] == 3
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        *("Function", "f-1"), True, True,
    )  # fmt: skip
    selector = made["spec"]["selector"]["matchLabels"]
    assert selector == {"faas.dev/function": "add", "faas.dev/revision": revision.hash}
    assert selector.items() <= made["spec"]["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize(
    "change",
    [
        {"handler": "main:other"}, {"timeout": "61s"}, {"concurrency": 11}, {"env": [{"name": "A", "value": "1"}]},
        {"source": {"inline": {"main.py": "x = 2"}}}, {"resources": {"limits": {"cpu": "1"}}}, {"image": "a/b"},
    ],
)  # fmt: skip
def test_what_changes_pods_changes_the_revision(change: dict[str, Any]) -> None:
    assert revision_of(make_function(**change), PLATFORM).hash != revision_of(make_function(), PLATFORM).hash


def test_a_revision_is_ten_hexadecimal_digits_and_depends_on_nothing_else() -> None:
    function, same = make_function(), make_function(scale={"min": 3}, coldStart="Wait", idempotent=True)
    same.metadata.generation, same.metadata.labels = 9, {"team": "a"}
    revision = revision_of(function, PLATFORM).hash
    assert revision == revision_of(same, PLATFORM).hash
    assert re.fullmatch("[0-9a-f]{10}", revision)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,9}\.py", fullmatch=True), st.text(max_size=200), min_size=1, max_size=3))
def test_no_kubelet_rewrites_source(files: dict[str, str]) -> None:
    """`$(NAME)` and `$$` in a value mean something to a kubelet."""
    files = {name: f"{text} $(PATH) $$ $(FAAS_FUNCTION)" for name, text in files.items()}
    value = env(make_function(source={"inline": files}))["FAAS_SOURCE_INLINE"]
    assert json.loads(expand(value, {"PATH": "/bin", "FAAS_FUNCTION": "add"})) == files


def test_source_that_fits_no_variable_is_refused_with_advice() -> None:
    source = {"inline": {"main.py": '"' * 63_000}}
    assert len(msgspec.json.encode(source)) > 120 * 1024
    with pytest.raises(InvalidSpec, match="deploy the folder as an archive"):
        revision_of(make_function(source=source), PLATFORM)


def test_an_impossible_spec_has_no_revision() -> None:
    with pytest.raises(InvalidSpec, match="exactly one of source and image"):
        revision_of(make_function(image="x", source={"inline": {"a": "b"}}), PLATFORM)
