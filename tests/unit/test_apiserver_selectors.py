"""Label and field selectors, and the columns that kubectl prints."""

from typing import Any

import pytest

from cli.local.apiserver import jsonpath
from cli.local.apiserver.builtin import make_registry
from cli.local.apiserver.columns import human_duration, pod_summary
from cli.local.apiserver.errors import StatusError
from cli.local.apiserver.registry import version_priority
from cli.local.apiserver.selectors import label_selector, make_predicate
from cli.local.apiserver.table import negotiate

PODS = make_registry().by_key("pods")[0]
LABELS = {"app": "web", "tier": "front", "n": "5"}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("app=web", True), ("app==web", True), ("app!=web", False), ("app", True), ("!app", False), ("!gone", True),
        ("gone!=x", True), ("app in (web,api)", True), ("app notin (web, api)", False), ("gone notin (x)", True),
        ("app=web,tier in (front)", True), ("app=web,tier=back", False), ("n>4", True), ("n<5", False),
        ("app>1", False),
        ("app=", False), ("gone=", False), ("a.b/c=d", False),
    ],
)  # fmt: skip
def test_label_selectors(text: str, matches: bool) -> None:
    assert all(requirement.matches(LABELS) for requirement in label_selector(text)) is matches


@pytest.mark.parametrize("text", ["=a", "a=b=c", "a in", "a in ()", "a in (b", "a,", ",a", "a b", "!", "a>b", "a=(b)"])
def test_label_selectors_that_make_no_sense(text: str) -> None:
    with pytest.raises(StatusError) as caught:
        label_selector(text)
    assert caught.value.code == 400
    assert text in caught.value.message


def test_field_selectors() -> None:
    pod = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"nodeName": "x"}, "status": {"phase": "Running"}}

    def selects(text: str) -> bool:
        predicate = make_predicate("", text, PODS)
        assert predicate is not None
        return predicate(pod)

    assert selects("metadata.name=a,status.phase!=Pending")
    assert selects("spec.nodeName==x,metadata.namespace=n")
    assert not selects("spec.nodeName=")
    with pytest.raises(StatusError, match=r"field label not supported: spec\.nothing"):
        selects("spec.nothing=1")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".spec.a", [1]), (".spec.list[1]", ["y"]), (".spec.list[*]", ["x", "y"]), (".spec.list[-1]", ["y"]),
        (".spec.missing", []), ('.c[?(@.type=="Ready")].status', ["True"]), ("{.spec.a}", [1]),
        (".spec['d.e']", [2]), (r".spec.d\.e", [2]), (".c[?(@.type=='None')].status", []), (".spec.a.b[0]", []),
    ],
)  # fmt: skip
def test_jsonpath(path: str, expected: Any) -> None:
    obj = {"spec": {"a": 1, "list": ["x", "y"], "d.e": 2}, "c": [{"type": "Ready", "status": "True"}]}
    assert jsonpath.find(path, obj) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (200, "3m20s"), (660, "11m"), (3 * 3600, "3h"), (5 * 3600 + 60, "5h1m"),
     (30 * 3600, "30h"), (3 * 86400 + 3600, "3d1h"), (100 * 86400, "100d"), (800 * 86400, "2y70d"), (-5, "<invalid>")],
)  # fmt: skip
def test_ages_read_as_in_kubectl(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text


def container(state: Any, ready: bool = False, restarts: int = 0) -> Any:
    return {"name": "c", "state": state, "ready": ready, "restartCount": restarts}


@pytest.mark.parametrize(
    ("status", "meta", "expected"),
    [
        ({"phase": "Pending"}, {}, (0, "0", "Pending")),
        ({"phase": "Running", "containerStatuses": [container({"running": {}}, True)]}, {}, (1, "0", "Running")),
        (
            {"phase": "Pending", "containerStatuses": [container({"waiting": {"reason": "ErrImagePull"}})]},
            {},
            (0, "0", "ErrImagePull"),
        ),
        (
            {"phase": "Failed", "containerStatuses": [container({"terminated": {"exitCode": 3}})]},
            {},
            (0, "0", "ExitCode:3"),
        ),
        (
            {"phase": "Running", "containerStatuses": [container({"running": {}}, True, 2)]},
            {"deletionTimestamp": "t"},
            (1, "2", "Terminating"),
        ),
        ({"phase": "Failed", "reason": "Evicted"}, {"deletionTimestamp": "t"}, (0, "0", "Evicted")),
        ({"phase": "Pending", "initContainerStatuses": [container({"running": {}})]}, {}, (0, "0", "Init:0/1")),
    ],
)
def test_a_pod_in_one_line(status: Any, meta: Any, expected: Any) -> None:
    pod = {"metadata": meta, "spec": {"containers": [{}], "initContainers": [{}]}, "status": status}
    assert pod_summary(pod, 0.0) == expected


def test_accept_headers() -> None:
    kubectl = (
        ",".join(f"application/json;as=Table;v={v};g=meta.k8s.io" for v in ("v1", "v1beta1")) + ",application/json"
    )
    assert negotiate(kubectl, "").kind == "Table"
    assert (
        negotiate("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "").kind
        == "PartialObjectMetadata"
    )
    assert negotiate("application/json", "").kind == ""
    assert negotiate("application/vnd.kubernetes.protobuf,application/json", "").kind == ""


def test_versions_in_order_of_preference() -> None:
    versions = ["v1alpha1", "foo", "v1", "v2beta1", "v10", "v2", "v1beta2"]
    assert sorted(versions, key=version_priority) == ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo"]
