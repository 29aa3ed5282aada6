"""The real API server in place of ours, for tests that use `tests.support.apiserver`: FAAS_TEST_PLATFORM=level1.

All tests of a run share one control plane. Each gets it as empty as an API server of its own would be.
"""

import atexit
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tests.cluster.controlplane import LOOPBACK, ControlPlane
from tests.support.api import Api, Refusal
from tests.support.apiserver import ApiServer
from tests.support.patience import eventually

T = TypeVar("T")
NAMESPACED = (
    "/apis/apps/v1/{}/replicasets", "/api/v1/{}/pods", "/api/v1/{}/configmaps", "/api/v1/{}/secrets",
    "/api/v1/{}/services", "/apis/coordination.k8s.io/v1/{}/leases", "/api/v1/{}/events",
)  # fmt: skip
"""What tests make, owners first."""
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NODES = "/api/v1/nodes"
NAMESPACES = "/api/v1/namespaces"
ITS_OWN = ("default", "kube-node-lease", "kube-public", "kube-system", "kube-root-ca.crt", "kubernetes")
"""Names of what a control plane makes for itself."""

CONTROLLERS = ("controller-manager", "scheduler")

_plane: ControlPlane | None = None
_was_away = False
"""Whether the API server has been stopped since the controllers were started. They ask for one that is away less and
less often, so that the first test after many outages would wait for half a minute."""
_owner = ThreadPoolExecutor(1)
"""Its one thread starts every process: a process of `Child` ends with the thread that started it, and a test may call
from one that ends sooner than the control plane may."""


class ClusterApiServer(ApiServer):
    """kube-apiserver of the control plane that all tests share."""

    @property
    def kubeconfig(self) -> Path:
        return self._shared.kubeconfig()

    @property
    def log_file(self) -> Path:
        return self._shared.server("apiserver").log

    @property
    def _shared(self) -> ControlPlane:
        assert _plane is not None
        return _plane

    def start(self) -> None:
        """Start it again unless it runs; returns when it answers."""
        global _was_away
        if self._start_again("apiserver"):
            _was_away = True
        self._shared.wait_ready()
        self.process = self._shared.server("apiserver").process

    def stop(self, *, kill: bool = False) -> int:
        """Always by SIGKILL: in order it takes 20 s, and what it keeps is etcd's."""
        return self._shared.server("apiserver").stop()

    def start_controllers(self) -> None:
        self._start_again("controller-manager")

    def kill_controllers(self) -> None:
        self._shared.server("controller-manager").stop()

    def stop_controllers(self) -> int:
        return 0  # they belong to the cluster

    def _start_again(self, name: str) -> bool:
        server = self._shared.server(name)
        if ended := server.process.poll() is not None:
            _by_owner(server.start)
        return ended

    def refresh_controllers(self) -> None:
        """Start controllers and scheduler anew if they have lost the API server before."""
        global _was_away
        for name in CONTROLLERS if _was_away else ():
            self._shared.server(name).stop()
            self._start_again(name)
        _was_away = False

    def clear(self) -> None:
        """Take away what tests have made, and return when it is gone."""
        self.start()
        self.start_controllers()  # they end objects whose deletion is not done at once
        api = Api(self)
        for namespace in _names(api, NAMESPACES):
            for path in NAMESPACED if namespace not in ("kube-public", "kube-system") else ():
                _delete_all(api, path.format(f"namespaces/{namespace}"))
        for path in (CRDS, NAMESPACES, NODES):
            _delete_all(api, path)
        eventually(lambda: not any(_left(api, path) for path in (CRDS, NAMESPACES, NODES)), "the cluster is empty")


def shared() -> ClusterApiServer:
    """The API server, running and empty; the control plane is started when nobody has asked before."""
    global _plane  # one for all tests of a run, as the name says
    if _plane is None:
        folder = tempfile.TemporaryDirectory(prefix="faas-control-plane-")
        atexit.register(folder.cleanup)
        _plane = ControlPlane(Path(folder.name))
        atexit.register(_plane.stop)
        _by_owner(_plane.start)
    server = ClusterApiServer(
        _plane.directory, LOOPBACK, int(_plane.url.rpartition(":")[2]), _plane.token(), _plane.authority
    )
    server.clear()
    return server


def _by_owner(work: Callable[[], T]) -> T:
    return _owner.submit(work).result()


def _names(api: Api, path: str) -> list[str]:
    return [item["metadata"]["name"] for item in api.items(path)]


def _left(api: Api, path: str) -> list[str]:
    return [name for name in _names(api, path) if name not in ITS_OWN]


def _delete_all(api: Api, path: str) -> None:
    for name in _left(api, path):
        try:
            api.patch(f"{path}/{name}", {"metadata": {"finalizers": None}})
            api.delete(f"{path}/{name}", gracePeriodSeconds=0, propagationPolicy="Background")
        except Refusal as refusal:
            if refusal.status not in (404, 409):  # another has been quicker
                raise
