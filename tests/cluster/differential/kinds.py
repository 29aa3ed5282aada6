"""The kinds that both servers serve: valid bodies, changes, and ways to get each kind wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.cluster.api import Object

REMOVED = object()  # as the value of an Edit: take the field away

Edit = tuple[str, str, Any]  # what it tries, the field's path (`spec.ports.0.port`), its new value


@dataclass(frozen=True)
class Kind:
    """A kind with what the generator needs to make requests about it."""

    name: str
    api_version: str
    plural: str
    body: Callable[[Random], Object]
    changes: Sequence[Object] = ()  # merge patches that are fine
    strategic: Sequence[Object] = ()  # strategic merge patches that merge lists by key
    invalid: Sequence[Edit] = ()  # edits that make a new object unacceptable
    immutable: Sequence[Edit] = ()  # edits that an update may not make
    field_selectors: Sequence[str] = field(default=("metadata.name=a0",))
    base: Object | None = None  # what the edits above are made on, where `body` may lack their fields
    status: Object | None = None  # a patch of the status subresource
    scale: bool = False
    named: str = ""  # where in the object its name must stand once more
    namespaced: bool = True
    deleted: bool = True  # false: what a deletion does is mostly a controller's work, which neither server has here

    def collection(self, namespace: str) -> str:
        root = "/api/v1" if self.api_version == "v1" else f"/apis/{self.api_version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if self.namespaced else f"{root}/{self.plural}"


def edited(body: Object, path: str, value: Any) -> Object:
    """Returns a copy of `body` with the field at `path` set or, for REMOVED, taken away."""
    head, _, rest = path.partition(".")
    copy: Any = list(body) if isinstance(body, list) else dict(body)
    key: Any = int(head) if isinstance(copy, list) else head
    if rest:
        inner = copy[key] if isinstance(copy, list) else copy.get(key, {})
        copy[key] = edited(inner, rest, value)
    elif value is REMOVED:
        del copy[key]
    else:
        copy[key] = value
    return copy  # type: ignore[no-any-return]


def config_map(random: Random) -> Object:
    return {"data": {f"key{n}": f"value {random.randrange(100)}" for n in range(random.randrange(4))}}


def secret(random: Random) -> Object:
    return {"type": "Opaque", "stringData": {"token": f"t{random.randrange(100)}"}, "data": {"raw": "AAEC"}}


def service(random: Random) -> Object:
    ports = [{"name": "http", "port": 80 + random.randrange(9), "targetPort": 8080}]
    return {"spec": {"clusterIP": "None", "selector": {"app": "web"}, "ports": ports}}


def container(random: Random) -> Object:
    environment = [{"name": "A", "value": str(random.randrange(9))}, {"name": "B", "value": "b"}]
    return {
        "name": "main",
        "image": f"localhost/faas-process:{random.randrange(3)}",
        "command": ["sleep", "60"],
        "env": environment,
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }


def pod_spec(random: Random) -> Object:
    return {
        "terminationGracePeriodSeconds": random.randrange(60),
        "automountServiceAccountToken": False,
        "containers": [container(random)],
    }


def pod(random: Random) -> Object:
    return {"spec": pod_spec(random)}


def replica_set(random: Random) -> Object:
    labels = {"app": f"app{random.randrange(3)}"}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(random)}
    return {"spec": {"replicas": random.randrange(4), "selector": {"matchLabels": labels}, "template": template}}


def lease(random: Random) -> Object:
    times = {"renewTime": "2026-01-02T03:04:05.678901Z", "acquireTime": "2026-01-02T03:04:05.000000Z"}
    return {"spec": {"holderIdentity": f"h{random.randrange(9)}", "leaseDurationSeconds": 15, **times}}


def event(random: Random) -> Object:
    return {
        "involvedObject": {"kind": "Pod", "name": f"p{random.randrange(3)}", "namespace": "${namespace}"},
        "reason": "Started",
        "message": "it runs",
        "type": "Normal",
        "count": 1 + random.randrange(5),
        "firstTimestamp": "2026-01-02T03:04:05Z",
        "source": {"component": "kubelet"},
    }


def node(random: Random) -> Object:
    # The taint that the real server gives every new node: with it an update does not take it away.
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    return {"spec": {"unschedulable": bool(random.randrange(2)), "taints": [taint]}}


BAD_POD_SPECS: list[Edit] = [
    ("no containers", "containers", []),
    ("no list of containers", "containers", REMOVED),
    ("container without name", "containers.0.name", ""),
    ("container name with capitals", "containers.0.name", "Main"),
    ("container without image", "containers.0.image", ""),
    ("unknown restart policy", "restartPolicy", "Sometimes"),
    ("negative grace period", "terminationGracePeriodSeconds", -1),
    ("port out of range", "containers.0.ports.0.containerPort", 70000),
    ("bad quantity", "containers.0.resources.limits.memory", "64 apples"),
    ("limit below request", "containers.0.resources.limits.memory", "1Mi"),
    ("environment variable without name", "containers.0.env.0.name", ""),
    ("containers is a string", "containers", "main"),
    ("grace period is a string", "terminationGracePeriodSeconds", "ten"),
    ("probe with two handlers", "containers.0.readinessProbe.tcpSocket", {"port": 1}),
    ("probe period of 0", "containers.0.readinessProbe.periodSeconds", -1),
]

BAD_PODS: list[Edit] = [(what, f"spec.{path}", value) for what, path, value in BAD_POD_SPECS]
BAD_TEMPLATES: list[Edit] = [(what, f"spec.template.spec.{path}", value) for what, path, value in BAD_POD_SPECS[:9]]

KINDS = [
    Kind(
        "ConfigMap",
        "v1",
        "configmaps",
        config_map,
        changes=[{"data": {"more": "1"}}, {"data": {"key0": None}}, {"data": None}, {"binaryData": {"b": "AAEC"}}],
        strategic=[{"data": {"more": "2", "key1": None}}, {"data": {"$patch": "replace", "only": "1"}}],
        invalid=[
            ("bad key", "data", {"a b": "1"}),
            ("number as value", "data", {"a": 1}),
            ("list as data", "data", ["a"]),
            ("bad base64", "binaryData", {"b": "!"}),
        ],
    ),
    Kind(
        "Secret",
        "v1",
        "secrets",
        secret,
        changes=[{"data": {"raw": "BBBB"}}, {"stringData": {"token": "new"}}, {"data": {"raw": None}}],
        strategic=[{"data": {"raw": None, "other": "AAAA"}}],
        invalid=[
            ("bad base64", "data", {"b": "!"}),
            ("bad key", "stringData", {"a/b": "1"}),
            ("incomplete type", "type", "kubernetes.io/dockerconfigjson"),
        ],
        immutable=[("type", "type", "other/type")],
        field_selectors=("metadata.name=a0", "type=Opaque", "type!=Opaque"),
    ),
    Kind(
        "Service",
        "v1",
        "services",
        service,
        changes=[{"spec": {"selector": {"app": "other"}}}, {"spec": {"ports": [{"port": 81}]}}],
        strategic=[{"spec": {"ports": [{"port": 443, "name": "tls"}]}}],
        invalid=[
            ("port 0", "spec.ports.0.port", 0),
            ("port out of range", "spec.ports.0.port", 65536),
            ("unknown protocol", "spec.ports.0.protocol", "PIGEON"),
            ("unknown type", "spec.type", "Magic"),
            ("selector is a list", "spec.selector", ["a"]),
        ],
        immutable=[("cluster IP", "spec.clusterIP", "10.96.0.77")],
    ),
    Kind(
        "ServiceAccount",
        "v1",
        "serviceaccounts",
        lambda random: {"automountServiceAccountToken": bool(random.randrange(2))},
        changes=[{"imagePullSecrets": [{"name": "x"}]}, {"automountServiceAccountToken": None}],
        strategic=[{"imagePullSecrets": [{"name": "y"}]}],
        invalid=[("flag is a string", "automountServiceAccountToken", "yes")],
    ),
    Kind(
        "Pod",
        "v1",
        "pods",
        pod,
        changes=[{"spec": {"containers": None}}, {"metadata": {"annotations": {"note": "1"}}}],
        strategic=[
            {"spec": {"containers": [{"name": "main", "image": "localhost/faas-process:new"}]}},
            {"metadata": {"labels": {"tier": "b"}}},
        ],
        invalid=BAD_PODS,
        immutable=[
            ("command", "spec.containers.0.command", ["other"]),
            ("restart policy", "spec.restartPolicy", "Never"),
            ("another container", "spec.containers", [{"name": "x", "image": "y"}]),
        ],
        field_selectors=("status.phase=Pending", "spec.nodeName=", "spec.nodeName=n1", "spec.restartPolicy=Always"),
        status={"phase": "Running", "podIP": "127.64.0.9", "conditions": [{"type": "Ready", "status": "True"}]},
    ),
    Kind(
        "ReplicaSet",
        "apps/v1",
        "replicasets",
        replica_set,
        changes=[{"spec": {"replicas": 5}}, {"spec": {"minReadySeconds": 2}}],
        strategic=[{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "localhost/new"}]}}}}],
        invalid=[
            ("selector of others", "spec.selector.matchLabels", {"app": "other"}),
            ("no selector", "spec.selector", REMOVED),
            ("negative replicas", "spec.replicas", -1),
            ("replicas is a string", "spec.replicas", "3"),
            ("no template", "spec.template", REMOVED),
            ("restart policy", "spec.template.spec.restartPolicy", "Never"),
            *BAD_TEMPLATES,
        ],
        immutable=[("selector", "spec.selector.matchLabels", {"app": "other"})],
        status={"replicas": 2, "readyReplicas": 1, "observedGeneration": 1},
        scale=True,
    ),
    Kind(
        "Lease",
        "coordination.k8s.io/v1",
        "leases",
        lease,
        changes=[{"spec": {"holderIdentity": "me"}}, {"spec": {"leaseTransitions": 3}}, {"spec": None}],
        invalid=[
            ("no duration", "spec.leaseDurationSeconds", 0),
            ("negative transitions", "spec.leaseTransitions", -1),
            ("bad time", "spec.renewTime", "yesterday"),
            ("holder is a number", "spec.holderIdentity", 7),
        ],
    ),
    Kind(
        "Event",
        "v1",
        "events",
        event,
        changes=[{"count": 9, "lastTimestamp": "2026-01-02T03:05:05Z"}],
        invalid=[
            ("other namespace", "involvedObject.namespace", "elsewhere"),
            ("count is a string", "count", "3"),
        ],
        field_selectors=("involvedObject.name=p0", "reason=Started", "type!=Normal", "involvedObject.kind=Pod"),
    ),
    Kind(
        "Node",
        "v1",
        "nodes",
        node,
        changes=[{"spec": {"unschedulable": True}}, {"spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}],
        invalid=[("bad taint", "spec.taints", [{"key": "k", "effect": "Sometimes"}])],
        field_selectors=("metadata.name=none",),
        status={"capacity": {"cpu": "2"}, "conditions": [{"type": "Ready", "status": "True", "reason": "R"}]},
        namespaced=False,
    ),
    Kind(
        "Namespace",
        "v1",
        "namespaces",
        lambda random: {},
        changes=[{"metadata": {"annotations": {"team": "a"}}}],
        invalid=[("finalizers is a string", "spec", {"finalizers": "x"})],
        field_selectors=("metadata.name=none", "status.phase=Active"),
        namespaced=False,
        deleted=False,
    ),
]
