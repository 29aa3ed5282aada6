"""The Node object, its heartbeat and its Lease (kube-node-lease), as a kubelet registers them."""

import asyncio
import logging
import os
import platform
import time
from pathlib import Path
from typing import Any

from cli.local.kubelet.config import Settings
from cli.local.kubelet.procfs import boot_id
from cli.local.kubelet.status import rfc3339, rfc3339_micro
from services.common.kube import ApiError, KubeClient, retry_pause

log = logging.getLogger("kubelet.node")

MAX_PODS = 110
LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
"""The figures of the real kubelet: the control plane takes a node for lost when its Lease is 40 s old."""
STATUS_SECONDS = 300.0
LEASE_NAMESPACE = "kube-node-lease"
KUBELET_VERSION = "v1.36.0"
"""The Kubernetes version whose behaviour is followed; schedulers and kubectl look at the minor version."""


class NodeKeeper:
    """`run` registers the node and keeps it alive until cancelled."""

    def __init__(self, client: KubeClient, settings: Settings, port: int) -> None:
        self._client, self._settings, self._port = client, settings, port
        self._path = f"/api/v1/nodes/{settings.node_name}"
        self._lease = f"/apis/coordination.k8s.io/v1/namespaces/{LEASE_NAMESPACE}/leases"
        self._ready_since = time.time()
        self._uid = ""
        self.registered = asyncio.Event()

    async def run(self) -> None:
        """Register, then renew the Lease every 10 s and the status every 5 min; ask again while nobody answers."""
        attempt, status_at = 0, 0.0
        while True:
            try:
                if time.monotonic() >= status_at:
                    self._uid = await self._register()
                    status_at = time.monotonic() + STATUS_SECONDS
                    self.registered.set()
                await self._renew()
                attempt = 0
                await asyncio.sleep(RENEW_SECONDS)
            except ApiError as error:
                attempt += 1
                if error.status == 404:
                    status_at = 0.0  # the Node was deleted, or a new API server knows nothing: register again
                log.warning("node %s can't be kept up to date: %s", self._settings.node_name, error)
                await retry_pause(attempt)

    async def _register(self) -> str:
        """Create the Node, or bring an existing one up to date; its uid."""
        status = self._status()
        body = {"apiVersion": "v1", "kind": "Node", "metadata": self._metadata(), "spec": {}, "status": status}
        try:
            await self._client.create("/api/v1/nodes", body)
        except ApiError as error:
            if error.status != 409:
                raise
            await self._client.patch(self._path, {"metadata": {"labels": self._metadata()["labels"]}})
        # a server may ignore the status of a create (it is a subresource), so it is always written on its own
        await self._client.patch(f"{self._path}/status", {"status": status})
        found = await self._client.get(self._path, dict[str, Any])
        return str(found["metadata"]["uid"])

    def _metadata(self) -> dict[str, Any]:
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        labels = {"kubernetes.io/hostname": self._settings.node_name, "kubernetes.io/os": "linux"}
        return {"name": self._settings.node_name, "labels": labels | {"kubernetes.io/arch": machine}}

    def _status(self) -> dict[str, Any]:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        amounts = {"cpu": str(os.cpu_count() or 1), "memory": f"{memory // 1024}Ki", "pods": str(MAX_PODS)}
        labels = self._metadata()["labels"]
        return {
            "capacity": amounts,
            "allocatable": amounts,
            "addresses": [
                {"type": "InternalIP", "address": self._settings.host},
                {"type": "Hostname", "address": self._settings.node_name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "conditions": self._conditions(),
            "nodeInfo": {
                "machineID": _machine_id(),
                "systemUUID": "",
                "bootID": boot_id(),
                "kernelVersion": platform.release(),
                "osImage": "Linux (processes)",
                "containerRuntimeVersion": "process://1",
                "kubeletVersion": KUBELET_VERSION,
                "kubeProxyVersion": "",
                "operatingSystem": "linux",
                "architecture": labels["kubernetes.io/arch"],
            },
        }

    def _conditions(self) -> list[dict[str, str]]:
        now = rfc3339(time.time())
        pressures = [
            ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ]
        told = [(kind, "False", reason, message) for kind, reason, message in pressures]
        told.append(("Ready", "True", "KubeletReady", "kubelet is running Pods as processes"))
        return [
            {
                "type": kind,
                "status": status,
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": now,
                "lastTransitionTime": rfc3339(self._ready_since),
            }
            for kind, status, reason, message in told
        ]

    async def _renew(self) -> None:
        name = self._settings.node_name
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": rfc3339_micro(time.time()),
        }
        try:
            await self._client.patch(f"{self._lease}/{name}", {"spec": spec})
        except ApiError as error:
            if error.status != 404:
                raise
            await self._create_lease(spec)

    async def _create_lease(self, spec: dict[str, Any]) -> None:
        name = self._settings.node_name
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": self._uid}
        metadata = {"name": name, "namespace": LEASE_NAMESPACE, "ownerReferences": [owner]}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        try:
            await self._client.create(self._lease, body)
        except ApiError as error:
            if error.status != 404:
                raise
            # the namespace is the control plane's to make; on one machine nobody else does
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEASE_NAMESPACE}}
            await self._client.create("/api/v1/namespaces", namespace)
            await self._client.create(self._lease, body)


def _machine_id() -> str:
    path = Path("/etc/machine-id")
    return path.read_text().strip() if path.exists() else ""
