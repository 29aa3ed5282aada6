"""What was released, and objects that no later version has: the beginnings of upgrades."""

from pathlib import Path
from typing import Any

SYSTEM = "faas-system"
RBAC = "rbac.authorization.k8s.io/v1"
RELEASES = sorted(folder for folder in (Path(__file__).parent / "released").iterdir() if folder.is_dir())
LABELS = {"app.kubernetes.io/part-of": "faas"}


def gone_since() -> list[dict[str, Any]]:
    """Objects of the kinds that overlays are made of, as if the version before had had them under other names."""
    kept = {"name": "former", "namespace": SYSTEM, "labels": LABELS}
    wide = {"name": "faas-former", "labels": LABELS}
    pod, selector = _pod(), {"matchLabels": {"app": "former"}}
    template = {"metadata": {"labels": {"app": "former"}}, "spec": pod}
    workload = {"replicas": 0, "selector": selector, "template": template}
    once = {"suspend": True, "template": {"spec": {**pod, "restartPolicy": "Never"}}}
    subjects = [{"kind": "ServiceAccount", "name": "former", "namespace": SYSTEM}]
    return [
        _object("v1", "ConfigMap", kept),
        _object("v1", "ServiceAccount", kept),
        _object("v1", "Service", kept, spec={"ports": [{"port": 80}]}),
        _object("apps/v1", "Deployment", kept, spec=workload),
        _object("apps/v1", "StatefulSet", kept, spec=workload | {"serviceName": "former"}),
        _object("batch/v1", "Job", kept, spec=once),
        _object("networking.k8s.io/v1", "NetworkPolicy", kept, spec={"podSelector": selector}),
        _object("policy/v1", "PodDisruptionBudget", kept, spec={"selector": selector, "minAvailable": 0}),
        _object(RBAC, "Role", kept, rules=[]),
        _object(RBAC, "RoleBinding", kept, roleRef=_role("Role", "former"), subjects=subjects),
        _object(RBAC, "ClusterRole", wide, rules=[]),
        _object(RBAC, "ClusterRoleBinding", wide, roleRef=_role("ClusterRole", "faas-former"), subjects=subjects),
    ]


def _object(version: str, kind: str, metadata: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _pod() -> dict[str, Any]:
    confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "main", "image": "localhost/none", "securityContext": confined}
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    return {"containers": [container], "securityContext": security}


def _role(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
