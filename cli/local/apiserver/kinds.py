"""The strategies of the built-in kinds, by resource."""

import base64
import time
from typing import Any

from cli.local.apiserver import crds, pods, scheduling
from cli.local.apiserver.fielderrors import FieldError, forbidden_field, invalid_value, not_supported, required
from cli.local.apiserver.names import label_errors, qualified_problems
from cli.local.apiserver.registry import Registry
from cli.local.apiserver.store import Store
from cli.local.apiserver.strategies import Strategy

Json = dict[str, Any]

# What Secrets of these types must hold.
_SECRET_KEYS = {
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def make_strategies(registry: Registry, store: Store) -> dict[str, Strategy]:
    """Strategies by resource; those that are missing have no rules of their own."""
    return {
        "namespaces": Strategy(_prepare_namespace),
        "pods": Strategy(_pod_preparer(store), _validate_pod),
        "nodes": Strategy(_prepare_node, _validate_node),
        "services": Strategy(_prepare_service, _validate_service),
        "secrets": Strategy(_prepare_secret, _validate_secret),
        "configmaps": Strategy(validate=_validate_configmap),
        "events": Strategy(validate=_validate_event),
        "replicasets.apps": Strategy(_prepare_replicaset, _validate_replicaset),
        "leases.coordination.k8s.io": Strategy(validate=_validate_lease),
        crds.KEY: crds.strategy(registry, time.time),
    }


def _prepare_namespace(obj: Json, old: Json | None) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    obj["spec"] = (old or {}).get("spec") or {"finalizers": ["kubernetes"]}
    if old is None:
        obj["status"] = {"phase": "Active"}


def _pod_preparer(store: Store) -> Any:
    def prepare(obj: Json, old: Json | None) -> None:
        pods.set_pod_defaults(obj, old)
        if old is None and "nodeName" not in obj["spec"] and (node := scheduling.only_node(store)):
            scheduling.assign(obj, node)  # done here it costs no second write

    return prepare


def _validate_pod(obj: Json, old: Json | None) -> list[FieldError]:
    if old is not None and obj["spec"] == old.get("spec"):
        return []
    found = pods.template_errors(obj["spec"], "spec")
    if old is None or not obj["spec"].get("containers"):
        return found
    return found + pods.update_errors(obj["spec"], old["spec"])


def _prepare_replicaset(obj: Json, old: Json | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    pods.set_template_defaults(template.setdefault("spec", {}))
    if old is None:
        obj["status"] = {"replicas": 0}


def _validate_replicaset(obj: Json, old: Json | None) -> list[FieldError]:
    spec = obj["spec"]
    if old is not None and spec == old.get("spec"):
        return []
    found: list[FieldError] = []
    for field in ("replicas", "minReadySeconds"):
        if spec.get(field, 0) < 0:
            found.append(invalid_value(f"spec.{field}", spec[field], "must be greater than or equal to 0"))
    found += _selector_errors(spec)
    template = spec["template"]
    found += label_errors(template["metadata"].get("labels", {}), "spec.template.labels")
    found += pods.template_errors(template["spec"], "spec.template.spec")
    if template["spec"].get("restartPolicy") in ("OnFailure", "Never"):
        policy = template["spec"]["restartPolicy"]
        found.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
    if old is not None and spec.get("selector") != old["spec"].get("selector"):
        found.append(invalid_value("spec.selector", spec.get("selector"), "field is immutable"))
    return found


def _selector_errors(spec: Json) -> list[FieldError]:
    selector = spec.get("selector")
    if selector is None:
        detail = "`selector` does not match template `labels`"
        labels = spec["template"]["metadata"].get("labels") or {}
        return [required("spec.selector"), invalid_value("spec.template.metadata.labels", labels, detail)]
    wanted = selector.get("matchLabels") or {}
    if not wanted and not selector.get("matchExpressions"):
        return [invalid_value("spec.selector", selector, "empty selector is invalid for deployment")]
    found = label_errors(wanted, "spec.selector.matchLabels")
    labels = spec["template"]["metadata"].get("labels") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        detail = "`selector` does not match template `labels`"
        found.append(invalid_value("spec.template.metadata.labels", labels, detail))
    return found


def _prepare_secret(obj: Json, old: Json | None) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if plain:
        data = obj.setdefault("data", {})
        data |= {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}


def _validate_secret(obj: Json, old: Json | None) -> list[FieldError]:
    found = _key_errors(obj.get("data", {}), "data")
    for name, value in obj.get("data", {}).items():
        try:
            base64.b64decode(value, validate=True)
        except ValueError:
            found.append(invalid_value(f"data[{name}]", "", "must be base64"))
    for name in _SECRET_KEYS.get(obj["type"], ()):
        if name not in obj.get("data", {}):
            found.append(required(f"data[{name}]"))
    if old is not None and obj["type"] != old["type"]:
        found.append(invalid_value("type", obj["type"], "field is immutable"))
    return found + _immutable_errors(obj, old, ("data",))


def _validate_configmap(obj: Json, old: Json | None) -> list[FieldError]:
    found = _key_errors(obj.get("data", {}), "data") + _key_errors(obj.get("binaryData", {}), "binaryData")
    for name in obj.get("binaryData", {}).keys() & obj.get("data", {}).keys():
        detail = "duplicate of key present in data"
        found.append(invalid_value(f"binaryData[{name}]", name, detail))
    return found + _immutable_errors(obj, old, ("data", "binaryData"))


def _key_errors(data: Json, path: str) -> list[FieldError]:
    rule = (
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',"
        "  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
    )
    bad = [
        name
        for name in data
        if not name.replace("-", "a").replace("_", "a").replace(".", "a").isalnum() or not name.isascii()
    ]
    return [invalid_value(f"{path}[{name}]", name, rule) for name in bad]


def _immutable_errors(obj: Json, old: Json | None, fields: tuple[str, ...]) -> list[FieldError]:
    if old is None or not old.get("immutable"):
        return []
    detail = "field is immutable when `immutable` is set"
    found = [] if obj.get("immutable") else [forbidden_field("immutable", detail)]
    return found + [forbidden_field(field, detail) for field in fields if obj.get(field) != old.get(field)]


def _validate_event(obj: Json, old: Json | None) -> list[FieldError]:
    namespace = obj.get("involvedObject", {}).get("namespace") or "default"
    if obj["metadata"].get("namespace") != namespace:
        return [invalid_value("involvedObject.namespace", namespace, "does not match event.namespace")]
    return []


def _validate_lease(obj: Json, old: Json | None) -> list[FieldError]:
    spec = obj.get("spec", {})
    found = []
    if spec.get("leaseDurationSeconds", 1) <= 0:
        found.append(invalid_value("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
    if spec.get("leaseTransitions", 0) < 0:
        detail = "must be greater than or equal to 0"
        found.append(invalid_value("spec.leaseTransitions", spec["leaseTransitions"], detail))
    return found


def _prepare_node(obj: Json, old: Json | None) -> None:
    capacity = obj.get("status", {}).get("capacity")
    if capacity:
        obj["status"].setdefault("allocatable", dict(capacity))


def _validate_node(obj: Json, old: Json | None) -> list[FieldError]:
    found: list[FieldError] = []
    for index, taint in enumerate(obj.get("spec", {}).get("taints", ())):
        path = f"metadata.taints[{index}]"  # so says the real one
        found += [invalid_value(f"{path}.key", taint["key"], problem) for problem in qualified_problems(taint["key"])]
        if taint["effect"] not in _TAINT_EFFECTS:
            found.append(not_supported(f"{path}.effect", taint["effect"], _TAINT_EFFECTS))
    return found


def _prepare_service(obj: Json, old: Json | None) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports", ()):
        port.setdefault("protocol", "TCP")
        port["targetPort"] = port["targetPort"] or port["port"]
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        if spec.get("clusterIP"):
            spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if old is None:
        obj["status"] = {"loadBalancer": {}}


def _validate_service(obj: Json, old: Json | None) -> list[FieldError]:
    spec = obj["spec"]
    found: list[FieldError] = []
    if spec["type"] not in _SERVICE_TYPES:
        found.append(not_supported("spec.type", spec["type"], _SERVICE_TYPES))
    if old is not None and old["spec"].get("clusterIP") and spec.get("clusterIP") != old["spec"]["clusterIP"]:
        found.append(invalid_value("spec.clusterIPs[0]", [spec.get("clusterIP", "")], "may not change once set"))
    if not spec.get("ports") and spec["type"] != "ExternalName" and spec.get("clusterIP") != "None":
        found.append(required("spec.ports"))
    for index, port in enumerate(spec.get("ports", ())):
        if not 0 < port.get("port", 0) < 65536:
            detail = "must be between 1 and 65535, inclusive"
            found.append(invalid_value(f"spec.ports[{index}].port", port.get("port", 0), detail))
        if port["protocol"] not in _PROTOCOLS:
            found.append(not_supported(f"spec.ports[{index}].protocol", port["protocol"], _PROTOCOLS))
        if len(spec["ports"]) > 1 and not port.get("name"):
            found.append(required(f"spec.ports[{index}].name"))
    return found
