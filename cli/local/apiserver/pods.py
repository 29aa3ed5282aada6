"""Pods and Pod templates: defaults, validation and what an update may change, as the real API server has them."""

from typing import Any

from cli.local.apiserver import fielderrors, names
from cli.local.apiserver.fielderrors import FieldError, forbidden_field, invalid_value, not_supported, required
from cli.local.apiserver.quantity import parse

Json = dict[str, Any]

RESTART_POLICIES = ("Always", "OnFailure", "Never")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_PROBE_DEFAULTS = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_VOLUME_MODE = {"secret": 420, "configMap": 420, "projected": 420, "downwardAPI": 420}  # 0644
# What the DefaultTolerationSeconds admission adds: a Pod stays five minutes on a node that is lost.
_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for key in ("not-ready", "unreachable")
]
_GUARANTEED = ("cpu", "memory")


def set_template_defaults(spec: Json) -> None:
    """Defaults of a Pod's spec, wherever it stands."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for field in ("containers", "initContainers"):
        for container in spec.get(field, ()):
            _set_container_defaults(container)
    for volume in spec.get("volumes", ()):
        if len(volume) == 1:
            volume["emptyDir"] = {}
        for source, mode in _VOLUME_MODE.items():
            if isinstance(volume.get(source), dict):
                volume[source].setdefault("defaultMode", mode)


def _set_container_defaults(container: Json) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if "imagePullPolicy" not in container:
        container["imagePullPolicy"] = _pull_policy(container.get("image", ""))
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        reference = variable.get("valueFrom", {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")
    for name in _PROBES:
        if name in container:
            _set_probe_defaults(container[name])
    limits = container["resources"].get("limits")
    if limits:
        # What is limited and not requested is requested at the limit.
        requests = container["resources"].setdefault("requests", {})
        for resource, quantity in limits.items():
            requests.setdefault(resource, quantity)


def _set_probe_defaults(probe: Json) -> None:
    for field, value in _PROBE_DEFAULTS.items():
        probe.setdefault(field, value)
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _pull_policy(image: str) -> str:
    """Always for the tag `latest`, said or implied; a tag stands after the last slash, an address's port before it."""
    last = image.rpartition("/")[2]
    tagged = "@" in last or (":" in last and not last.endswith(":latest"))
    return "IfNotPresent" if tagged else "Always"


def set_pod_defaults(obj: Json, old: Json | None) -> None:
    """Defaults of a Pod, and the initial status of a new one; what its admission decided stays."""
    spec = obj.setdefault("spec", {})
    set_template_defaults(spec)
    spec.setdefault("enableServiceLinks", True)
    if spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1  # an old promise: a negative period means the shortest one
    if old is not None:
        for field in ("nodeName", "priority", "preemptionPolicy", "tolerations"):
            if field in old["spec"]:
                spec.setdefault(field, old["spec"][field])
        status = obj.get("status", {})
        if status.get("podIP") and not status.get("podIPs"):
            status["podIPs"] = [{"ip": status["podIP"]}]
        if status.get("hostIP") and not status.get("hostIPs"):
            status["hostIPs"] = [{"ip": status["hostIP"]}]
        return
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    given = spec.get("tolerations", [])
    wanted = [each for each in _TOLERATIONS if not any(each["key"] == other.get("key") for other in given)]
    if wanted:
        spec["tolerations"] = [*given, *(dict(each) for each in wanted)]
    obj["status"] = {"phase": "Pending", "qosClass": qos_class(spec)}


def qos_class(spec: Json) -> str:
    """Guaranteed, Burstable or BestEffort (Kubernetes, "Pod Quality of Service Classes")."""
    resources = [c.get("resources", {}) for f in ("containers", "initContainers") for c in spec.get(f, ())]
    if not any(r.get("requests") or r.get("limits") for r in resources):
        return "BestEffort"
    for each in resources:
        limits, requests = each.get("limits") or {}, each.get("requests") or {}
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in _GUARANTEED):
            return "Burstable"
    return "Guaranteed"


def template_errors(spec: Json, path: str) -> list[FieldError]:
    """Problems of a Pod's spec."""
    found: list[FieldError] = []
    containers = spec.get("containers", [])
    if not containers:
        found.append(required(f"{path}.containers"))
    volumes = {volume.get("name") for volume in spec.get("volumes", ())}
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(field, ())):
            found += _container_errors(container, f"{path}.{field}[{index}]", seen, volumes)
    for field, allowed in (("restartPolicy", RESTART_POLICIES), ("dnsPolicy", _DNS_POLICIES)):
        if spec.get(field) not in allowed:
            found.append(not_supported(f"{path}.{field}", spec.get(field), sorted(allowed)))
    return found


def _container_errors(container: Json, path: str, seen: set[str], volumes: set[Any]) -> list[FieldError]:
    found: list[FieldError] = []
    name = container.get("name", "")
    if not name:
        found.append(required(f"{path}.name"))
    else:
        found += [invalid_value(f"{path}.name", name, problem) for problem in names.label_problems(name)]
        if name in seen:
            found.append(fielderrors.duplicate(f"{path}.name", name))
        seen.add(name)
    if not container.get("image"):
        found.append(required(f"{path}.image"))
    elif container["image"] != container["image"].strip():
        found.append(invalid_value(f"{path}.image", container["image"], "must not have leading or trailing whitespace"))
    if container.get("imagePullPolicy") not in PULL_POLICIES:
        found.append(not_supported(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), PULL_POLICIES))
    found += _resource_errors(container.get("resources", {}), f"{path}.resources")
    for index, port in enumerate(container.get("ports", ())):
        found += _port_errors(port, f"{path}.ports[{index}]")
    for index, variable in enumerate(container.get("env", ())):
        found += _variable_errors(variable, f"{path}.env[{index}]")
    for index, mount in enumerate(container.get("volumeMounts", ())):
        where = f"{path}.volumeMounts[{index}]"
        if mount.get("name") not in volumes:
            found.append(FieldError("FieldValueNotFound", f"{where}.name", "", mount.get("name", "")))
        if not mount.get("mountPath"):
            found.append(required(f"{where}.mountPath"))
    for probe in _PROBES:
        if probe in container:
            found += _probe_errors(container[probe], f"{path}.{probe}")
    return found


def _resource_errors(resources: Json, path: str) -> list[FieldError]:
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    found: list[FieldError] = []
    for field, quantities in (("limits", limits), ("requests", requests)):
        for name, value in quantities.items():
            if parse(value) < 0:
                found.append(invalid_value(f"{path}.{field}[{name}]", value, "must be greater than or equal to 0"))
    for name, value in requests.items():
        if name in limits and parse(value) > parse(limits[name]):
            detail = f"must be less than or equal to {name} limit of {limits[name]}"
            found.append(invalid_value(f"{path}.requests", value, detail))
    return found


def _port_errors(port: Json, path: str) -> list[FieldError]:
    number = port.get("containerPort")
    if number is None:
        return [required(f"{path}.containerPort")]
    found = []
    if not 0 < number < 65536:
        found.append(invalid_value(f"{path}.containerPort", number, "must be between 1 and 65535, inclusive"))
    if port["protocol"] not in ("TCP", "UDP", "SCTP"):
        found.append(not_supported(f"{path}.protocol", port["protocol"], ("SCTP", "TCP", "UDP")))
    return found


def _variable_errors(variable: Json, path: str) -> list[FieldError]:
    if not variable.get("name"):
        return [required(f"{path}.name")]
    source = variable.get("valueFrom")
    if source is None:
        return []
    if variable.get("value"):
        return [invalid_value(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")]
    if len(source) != 1:
        detail = (
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
            if not source
            else "may not have more than one field specified at a time"
        )
        return [invalid_value(f"{path}.valueFrom", "", detail)]
    return []


def _probe_errors(probe: Json, path: str) -> list[FieldError]:
    handlers = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if name in probe]
    found: list[FieldError] = []
    if not handlers:
        found.append(required(path, "must specify a handler type"))
    for name in handlers[1:]:
        found.append(forbidden_field(f"{path}.{name}", "may not specify more than 1 handler type"))
    for field in ("initialDelaySeconds", *_PROBE_DEFAULTS):
        if probe.get(field, 0) < 0:
            found.append(invalid_value(f"{path}.{field}", probe[field], "must be greater than or equal to 0"))
    where: Json = probe.get("httpGet") or probe.get("tcpSocket") or {"port": 1}
    port = where.get("port", 0)
    if isinstance(port, int) and not 0 < port < 65536:
        found.append(invalid_value(f"{path}.{handlers[0]}.port", port, "must be between 1 and 65535, inclusive"))
    return found


def update_errors(spec: Json, old: Json) -> list[FieldError]:
    """What an update of a Pod's spec changes beyond what may change: images, tolerations added, deadlines."""
    if _fixed(spec) == _fixed(old):
        return []
    detail = (
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
    )
    return [forbidden_field("spec", detail)]


def _fixed(spec: Json) -> Json:
    free = ("activeDeadlineSeconds", "tolerations", "containers", "initContainers", "ephemeralContainers")
    kept = {name: value for name, value in spec.items() if name not in free}
    for field in ("containers", "initContainers"):
        kept[field] = [{n: v for n, v in container.items() if n != "image"} for container in spec.get(field, ())]
    return kept
