"""What runs need to know of Functions: whether a call may be made twice."""

import msgspec

from services.common.kube import KubeClient
from services.common.watch import WatchCache
from services.contracts.names import FunctionRef
from services.contracts.resources import API_VERSION


class _Spec(msgspec.Struct):
    idempotent: bool = False


class _Function(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


class Functions:
    """The Functions of all namespaces, as last told by the API server. ``run`` it."""

    def __init__(self, kube: KubeClient) -> None:
        self._cache = WatchCache(kube, f"/apis/{API_VERSION}/functions", _Function)
        self.synced = self._cache.synced

    async def run(self) -> None:
        """Watches until cancelled."""
        await self._cache.run()

    def idempotent(self, ref: FunctionRef) -> bool:
        """Whether a call of ``ref`` whose outcome is unknown may be repeated; no, when nothing is known of it."""
        found = self._cache.objects.get(str(ref))
        return found is not None and found.spec.idempotent
