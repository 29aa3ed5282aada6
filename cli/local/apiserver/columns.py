"""Columns of the built-in kinds, as `kubectl get` shows them."""

import datetime
from collections.abc import Callable
from typing import Any

from cli.local.apiserver.registry import Column

Json = dict[str, Any]
Cells = Callable[[Json, float], list[Any]]


def seconds_since(text: str, now: float) -> float:
    """Seconds from an RFC 3339 time to `now`, or a negative number when it does not parse."""
    try:
        return now - datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return -1.0


def human_duration(seconds: float) -> str:
    """As kubectl prints an age: `45s`, `3m20s`, `17m`, `5h`, `3d4h`, `400d`."""
    whole = int(seconds)
    if whole < 0:
        return "<invalid>" if whole < -1 else "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    years = days // 365
    return _two(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


def age(obj: Json, now: float) -> str:
    created = obj["metadata"].get("creationTimestamp")
    return human_duration(seconds_since(created, now)) if created else "<unknown>"


def _columns(*names: str) -> tuple[Column, ...]:
    """Columns by name: `Ready:integer`, and a `+` in front of those that only `-o wide` shows."""
    found = [Column("Name", "string", "name")]
    for text in names:
        name, _, kind = text.lstrip("+").partition(":")
        found.append(Column(name, kind or "string", priority=1 if text.startswith("+") else 0))
    return tuple(found)


def _pod(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    ready, restarts, reason = pod_summary(obj, now)
    gates = spec.get("readinessGates", [])
    true = {c["type"] for c in status.get("conditions", []) if c.get("status") == "True"}
    passed = sum(gate.get("conditionType") in true for gate in gates)
    wide = [
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"{passed}/{len(gates)}" if gates else "<none>",
    ]
    return [_name(obj), f"{ready}/{len(spec.get('containers', []))}", reason, restarts, age(obj, now), *wide]


def pod_summary(obj: Json, now: float) -> tuple[int, str, str]:
    """Containers ready, restarts and the one word for a Pod's state."""
    status = obj.get("status", {})
    phase = status.get("phase", "")
    reason = status.get("reason") or phase
    init_reason = _init_reason(obj)
    statuses = status.get("containerStatuses", [])
    ready = sum(bool(c.get("ready") and "running" in c.get("state", {})) for c in statuses)
    if init_reason:
        reason, statuses = init_reason, status.get("initContainerStatuses", [])
    else:
        reason = _container_reason(statuses, status, reason)
    if obj["metadata"].get("deletionTimestamp") and phase not in ("Succeeded", "Failed"):
        reason = "Terminating"
    restarts = sum(c.get("restartCount", 0) for c in statuses)
    ends = [c.get("lastState", {}).get("terminated", {}).get("finishedAt") for c in statuses]
    last = max((end for end in ends if end), default="")
    text = f"{restarts} ({human_duration(seconds_since(last, now))} ago)" if restarts and last else str(restarts)
    return (0 if init_reason else ready), text, reason


def _init_reason(obj: Json) -> str:
    """The state of the init container that a Pod waits for, or "" when all are done."""
    total = len(obj.get("spec", {}).get("initContainers", []))
    for index, container in enumerate(obj.get("status", {}).get("initContainerStatuses", [])):
        state = container.get("state", {})
        terminated, waiting = state.get("terminated"), state.get("waiting", {})
        if terminated is not None and terminated.get("exitCode") == 0:
            continue
        if terminated is not None:
            return f"Init:{_terminated_reason(terminated)}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{index}/{total}"
    return ""


def _container_reason(statuses: list[Json], status: Json, reason: str) -> str:
    error, running = "", False
    for container in reversed(statuses):
        state = container.get("state", {})
        if state.get("waiting", {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif "terminated" in state:
            reason = _terminated_reason(state["terminated"])
            if state["terminated"].get("exitCode"):
                error = reason
        elif container.get("ready") and "running" in state:
            running = True
    if reason == "Completed" and (running or error):
        pod_ready = any(c["type"] == "Ready" and c.get("status") == "True" for c in status.get("conditions", []))
        return "Running" if running and pod_ready else error or "NotReady"
    return reason


def _terminated_reason(terminated: Json) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode', 0)}"


def _node(obj: Json, now: float) -> list[Any]:
    status = obj.get("status", {})
    ready = next((c.get("status") for c in status.get("conditions", []) if c["type"] == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"]
    if obj.get("spec", {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    prefix = "node-role.kubernetes.io/"
    roles = sorted(name.removeprefix(prefix) for name in obj["metadata"].get("labels", {}) if name.startswith(prefix))
    addresses = {a["type"]: a["address"] for a in reversed(status.get("addresses", []))}
    info = status.get("nodeInfo", {})
    kernel = info.get("kernelVersion") or "<unknown>"
    kernel += f" ({info['architecture']})" if info.get("architecture") else ""
    wide = [
        addresses.get("InternalIP", "<none>"),
        addresses.get("ExternalIP", "<none>"),
        info.get("osImage") or "<unknown>",
        kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]
    return [
        _name(obj),
        ",".join(words),
        ",".join(roles) or "<none>",
        age(obj, now),
        info.get("kubeletVersion", ""),
        *wide,
    ]


def _event(obj: Json, now: float) -> list[Any]:
    def since(*fields: str) -> str:
        found = next((obj[field] for field in fields if obj.get(field)), "")
        return human_duration(seconds_since(found, now)) if found else "<unknown>"

    target = obj.get("involvedObject", {})
    about = target.get("kind", "").lower() + (f"/{target['name']}" if target.get("name") else "")
    series = obj.get("series") or {}
    source = obj.get("source", {})
    last = series.get("lastObservedTime")
    seen = human_duration(seconds_since(last, now)) if last else since("lastTimestamp", "firstTimestamp", "eventTime")
    parts = [
        source.get("component") or obj.get("reportingComponent", ""),
        source.get("host") or obj.get("reportingInstance", ""),
    ]
    return [
        seen, obj.get("type", ""), obj.get("reason", ""), about, target.get("fieldPath", ""),
        ", ".join(filter(None, parts)), obj.get("message", "").strip(), since("firstTimestamp", "eventTime"),
        series.get("count") or obj.get("count") or 1, _name(obj),
    ]  # fmt: skip


def _replicaset(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    containers = spec.get("template", {}).get("spec", {}).get("containers", [])
    names, images = (",".join(c.get(field, "") for c in containers) for field in ("name", "image"))
    numbers = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *numbers, age(obj, now), names, images, selector_text(spec.get("selector") or {}) or "<none>"]


def selector_text(selector: Json) -> str:
    """A LabelSelector in the syntax of label selectors."""
    terms = [f"{name}={value}" for name, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        values = ",".join(sorted(each.get("values") or ()))
        words = {
            "In": f"{each['key']} in ({values})",
            "NotIn": f"{each['key']} notin ({values})",
            "Exists": each["key"],
        }
        terms.append(words.get(each.get("operator"), f"!{each['key']}"))
    return ",".join(terms)


def _service(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec", {})
    ports = []
    for port in spec.get("ports", []):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port['port']}{node}/{port.get('protocol', 'TCP')}")
    external = spec.get("externalName") if spec.get("type") == "ExternalName" else ",".join(spec.get("externalIPs", []))
    selector = ",".join(f"{name}={value}" for name, value in sorted(spec.get("selector", {}).items()))
    cells = [spec.get("type", ""), spec.get("clusterIP") or "<none>", external or "<none>", ",".join(ports) or "<none>"]
    return [_name(obj), *cells, age(obj, now), selector or "<none>"]


def _name(obj: Json) -> str:
    return str(obj["metadata"]["name"])


_EVENT_COLUMNS = (
    Column("Last Seen"), Column("Type"), Column("Reason"), Column("Object"), Column("Subobject", priority=1),
    Column("Source", priority=1), Column("Message"), Column("First Seen", priority=1),
    Column("Count", priority=1), Column("Name", "string", "name", priority=1),
)  # fmt: skip

BUILTIN: dict[str, tuple[tuple[Column, ...], Cells]] = {
    "namespaces": (
        _columns("Status", "Age"),
        lambda obj, now: [_name(obj), obj.get("status", {}).get("phase", ""), age(obj, now)],
    ),
    "pods": (
        _columns("Ready", "Status", "Restarts", "Age", "+IP", "+Node", "+Nominated Node", "+Readiness Gates"),
        _pod,
    ),
    "nodes": (
        _columns("Status", "Roles", "Age", "Version", "+Internal-IP", "+External-IP", "+OS-Image", "+Kernel-Version",
                 "+Container-Runtime"),
        _node,
    ),
    "events": (_EVENT_COLUMNS, _event),
    "replicasets.apps": (
        _columns("Desired:integer", "Current:integer", "Ready:integer", "Age", "+Containers", "+Images", "+Selector"),
        _replicaset,
    ),
    "services": (_columns("Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"), _service),
    "secrets": (
        _columns("Type", "Data", "Age"),
        lambda obj, now: [_name(obj), obj.get("type", ""), len(obj.get("data", {})), age(obj, now)],
    ),
    "configmaps": (
        _columns("Data", "Age"),
        lambda obj, now: [_name(obj), len(obj.get("data", {})) + len(obj.get("binaryData", {})), age(obj, now)],
    ),
    "serviceaccounts": (_columns("Age"), lambda obj, now: [_name(obj), age(obj, now)]),
    "leases.coordination.k8s.io": (
        _columns("Holder", "Age"),
        lambda obj, now: [_name(obj), obj.get("spec", {}).get("holderIdentity", ""), age(obj, now)],
    ),
    "customresourcedefinitions.apiextensions.k8s.io": (
        _columns("Created At:date"),
        lambda obj, now: [_name(obj), obj["metadata"].get("creationTimestamp", "")],
    ),
}  # fmt: skip
