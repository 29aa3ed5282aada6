"""The built-in kinds that are served."""

from cli.local.apiserver import builtin_meta, builtin_pod, builtin_workloads
from cli.local.apiserver.registry import Registry, ResourceType, Scale
from cli.local.apiserver.typetable import TypeTable

TYPES = TypeTable(
    builtin_meta.META,
    builtin_meta.REQUESTS,
    builtin_meta.KINDS,
    builtin_pod.POD,
    builtin_workloads.POD_STATUS,
    builtin_workloads.WORKLOADS,
)
OBJECT_META = TYPES.compiled("ObjectMeta")
_REPLICAS = Scale(("spec", "replicas"), ("status", "replicas"), ("status", "selector"))


def make_registry() -> Registry:
    """A registry with the built-in kinds."""
    return Registry(
        [
            _core("Namespace", "namespaces", "ns", namespaced=False, has_status=True, returns_deleted=True),
            _core(
                "Pod", "pods", "po",
                categories=("all",), has_status=True, counts_generations=True, returns_deleted=True,
            ),
            _core("Node", "nodes", "no", namespaced=False, has_status=True),
            _core("Event", "events", "ev", creates_on_update=True),
            _core("Secret", "secrets"),
            _core("ConfigMap", "configmaps", "cm"),
            _core(
                "Service", "services", "svc",
                categories=("all",), has_status=True, returns_deleted=True, creates_on_update=True,
            ),
            _core("ServiceAccount", "serviceaccounts", "sa", returns_deleted=True),
            _kind(
                "apps", "v1", "ReplicaSet", "replicasets", "rs",
                categories=("all",), has_status=True, scale=_REPLICAS, counts_generations=True,
            ),
            _kind("coordination.k8s.io", "v1", "Lease", "leases", creates_on_update=True, needs_version_on_update=True),
            _kind(
                "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", "crd", "crds",
                categories=("api-extensions",), namespaced=False, has_status=True, counts_generations=True,
                needs_version_on_update=True,
            ),
        ]
    )  # fmt: skip


def _core(kind: str, plural: str, *short: str, **options: object) -> ResourceType:
    return _kind("", "v1", kind, plural, *short, **options)


def _kind(group: str, version: str, kind: str, plural: str, *short: str, **options: object) -> ResourceType:
    settings: dict[str, object] = {
        "namespaced": True,
        "singular": kind.lower(),
        "list_kind": f"{kind}List",
        "schema": TYPES.compiled(kind),
        "short_names": short,
    }
    return ResourceType(group=group, version=version, kind=kind, plural=plural, **(settings | options))  # type: ignore[arg-type]
