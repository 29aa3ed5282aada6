"""Environment, images, admission, quantities."""

from typing import Any

import pytest

from cli.local.kubelet.admission import image_name, image_refusal, refusal
from cli.local.kubelet.environment import (
    MissingReference,
    Place,
    Sources,
    container_environment,
    expand,
    object_data,
    references,
)
from cli.local.kubelet.quantities import parse_quantity
from cli.local.kubelet.resources import decode_pod

PLACE = Place("node-1", "127.0.0.1", "127.64.0.9")
FIXED = {"HOST": "127.64.0.9", "FAAS_CACHE_DIR": "/cache", "FAAS_POD_DIR": "/pod"}


def document(spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    main = {"name": "main", "image": "faas-process", "command": ["x"], **container}
    meta = {"name": "p", "namespace": "ns", "uid": "u-1", "labels": {"a": "b"}}
    return {"metadata": meta, "spec": {"containers": [main], **(spec or {})}}


def environment(sources: Sources | None = None, **container: Any) -> dict[str, str]:
    pod = decode_pod(document(**container))
    return container_environment(pod, pod.spec.containers[0], sources or Sources(), PLACE, {"PATH": "/bin"}, FIXED)


def test_the_platform_s_variables() -> None:
    assert environment() == {"PATH": "/bin", "PORT": "8080", "HOSTNAME": "p", **FIXED}


def test_a_pod_may_choose_its_port_but_not_its_address() -> None:
    found = environment(env=[{"name": "PORT", "value": "9000"}, {"name": "HOST", "value": "0.0.0.0"}])
    assert (found["PORT"], found["HOST"]) == ("9000", "127.64.0.9")


def test_every_kind_of_source() -> None:
    sources = Sources(
        secrets={"s": {"k": b"v1", "K2": b"v2"}, "gone": None}, config_maps={"c": {"x": b"1"}, "gone": None}
    )
    found = environment(
        sources,
        envFrom=[{"prefix": "P_", "secretRef": {"name": "s"}}, {"configMapRef": {"name": "gone", "optional": True}}],
        env=[
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "x"}}},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
            {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "E", "value": "$(A)-$(D)-$$(A)-$(NONE)"},
            {"name": "F", "valueFrom": {"secretKeyRef": {"name": "s", "key": "none", "optional": True}}},
            {"name": "G", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        ],
        resources={"limits": {"memory": "64Mi"}},
    )
    assert {name: found[name] for name in ("P_k", "P_K2", "A", "B", "C", "D", "G")} == {
        "P_k": "v1", "P_K2": "v2", "A": "v1", "B": "1", "C": "b", "D": "127.64.0.9", "G": "64",
    }  # fmt: skip
    assert found["E"] == "v1-127.64.0.9-$(A)-$(NONE)"
    assert "F" not in found


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ({"secretKeyRef": {"name": "none", "key": "k"}}, 'secret "none" not found'),
        ({"secretKeyRef": {"name": "s", "key": "z"}}, "couldn't find key z in Secret ns/s"),
        ({"configMapKeyRef": {"name": "none", "key": "k"}}, 'configmap "none" not found'),
        ({"fieldRef": {"fieldPath": "spec.secretThing"}}, "fieldRef 'spec.secretThing' is not a field"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "sets no such resource"),
    ],
)
def test_what_is_missing_is_named(variable: dict[str, Any], message: str) -> None:
    with pytest.raises(MissingReference) as caught:
        environment(Sources(secrets={"s": {"k": b"v"}}), env=[{"name": "A", "valueFrom": variable}])
    assert message in str(caught.value)


def test_references_include_mounted_volumes() -> None:
    spec = {"volumes": [{"name": "v", "secret": {"secretName": "s2"}}, {"name": "unused", "configMap": {"name": "c2"}}]}
    pod = decode_pod(
        document(spec, volumeMounts=[{"name": "v", "mountPath": "/v"}], envFrom=[{"secretRef": {"name": "s1"}}])
    )
    assert references(pod, pod.spec.containers[0]) == ({"s1", "s2"}, set())


def test_object_data() -> None:
    assert object_data({"data": {"a": "aGk="}}, secret=True) == {"a": b"hi"}
    assert object_data({"data": {"a": "hi"}, "binaryData": {"b": "AAE="}}, secret=False) == {"a": b"hi", "b": b"\0\1"}
    assert object_data({}, secret=True) == {}


def test_expansion() -> None:
    assert expand("$(A) $$(A) $(B) $A", {"A": "1"}) == "1 $(A) $(B) $A"


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("localhost/faas-python:0.1.0", "faas-python"),
        ("faas-process", "faas-process"),
        ("registry:5000/a/faas-python@sha256:00", "faas-python"),
        ("registry:5000/nginx", "nginx"),
    ],
)
def test_image_names(image: str, name: str) -> None:
    assert image_name(image) == name


def test_images() -> None:
    def refused(**container: Any) -> str | None:
        return image_refusal(decode_pod(document(**container)).spec.containers[0])

    assert refused() is None
    assert refused(image="localhost/faas-python:1", command=[]) is None
    assert "leave command and args out" in (refused(image="faas-python") or "")
    assert "give one in command" in (refused(command=[]) or "")
    assert "'nginx' can't be run on this node" in (refused(image="nginx") or "")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (document({"hostNetwork": True}), "spec.hostNetwork"),
        (document({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}), "volume v: hostPath"),
        (document({"volumes": [{"name": "v", "projected": {}}]}), "automountServiceAccountToken: false"),
        (document({"volumes": [{"name": "../v", "emptyDir": {}}]}), "'../v' is not a DNS-1123 label"),
        (document(securityContext={"privileged": True}), "securityContext.privileged"),
        (document(securityContext={"capabilities": {"add": ["SYS_ADMIN"]}}), "capabilities.add"),
        (document(lifecycle={"preStop": {"sleep": {"seconds": 1}}}), "lifecycle hooks"),
        (document(volumeMounts=[{"name": "v", "mountPath": "/x"}]), "no volume 'v'"),
        (
            document(
                {"volumes": [{"name": "v", "emptyDir": {}}]}, volumeMounts=[{"name": "v", "mountPath": "/a/../../x"}]
            ),
            "leaves the Pod's directory",
        ),
        (document(readinessProbe={"grpc": {"port": 1}}), "grpc probes"),
        (document(readinessProbe={"periodSeconds": 1}), "exactly one of"),
        (document(resources={"limits": {"memory": "much"}}), "resources.limits.memory"),
    ],
)
def test_what_a_process_cannot_have_is_refused(bad: dict[str, Any], reason: str) -> None:
    assert reason in (refusal(bad, decode_pod(bad)) or "")


def test_a_restricted_pod_is_let_through() -> None:
    context = {
        "runAsNonRoot": True, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    good = document({"volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}]}, securityContext=context)
    assert refusal(good, decode_pod(good)) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("128Mi", 128 << 20), ("1G", 10**9), ("0.5", 0.5), ("250m", 0.25), ("1e3", 1000), (7, 7), ("1.5Gi", 3 << 29)],
)
def test_quantities(text: str | int, value: float) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "Mi", "1 Mi", "1mi", "1e", "--1", "0x10"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)
