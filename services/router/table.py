"""The route table: Functions and their Pods as the watches tell them. Pure; Pods are keyed by UID."""

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from services.contracts import subjects
from services.contracts.durations import parse_duration
from services.contracts.names import FunctionRef, is_label
from services.contracts.resources import LABEL_FUNCTION, LABEL_REVISION, MAX_TIMEOUT, Function
from services.router.choose import LeastLoaded
from services.router.events import EventNames
from services.router.load import Gauge
from services.router.metrics import Counts

if TYPE_CHECKING:
    from services.router.podclient import PodPool

    OpenPool = Callable[[str, int], PodPool]
    """Makes the (still empty) pool of connections to a Pod's address and port."""

DEFAULT_PORT = 8080


class PodMeta(msgspec.Struct, rename="camel"):
    """What the router reads of a Pod's metadata."""

    name: str
    namespace: str
    uid: str
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}


class ContainerPort(msgspec.Struct, rename="camel"):
    """One port of a container."""

    container_port: int


class Container(msgspec.Struct):
    """What the router reads of a container."""

    ports: list[ContainerPort] = []


class PodSpec(msgspec.Struct):
    """What the router reads of a Pod's spec."""

    containers: list[Container] = []


class PodCondition(msgspec.Struct):
    """One condition of a Pod."""

    type: str
    status: str


class PodStatus(msgspec.Struct):
    """What the router reads of a Pod's status."""

    pod_ip: str = msgspec.field(default="", name="podIP")
    phase: str = ""
    conditions: list[PodCondition] = []


class Pod(msgspec.Struct):
    """A Pod as far as the router reads it: decoding it so takes 2 us."""

    metadata: PodMeta
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)


class Target:
    """A Pod with an address. ``ready`` is the watch's word; ``probed``, ``suspect`` and ``busy`` are the router's own.

    ``probed``: the router saw it healthy before the watch said so. ``suspect``: it refused a connection or said that it
    is draining. ``busy``: it said so a moment ago.
    """

    __slots__ = (
        "busy", "gone", "host", "in_flight", "name", "pool", "port", "probed", "ready", "revision", "route", "suspect",
        "uid",
    )  # fmt: skip

    def __init__(self, route: "Route", pod: Pod, open_pool: "OpenPool") -> None:
        self.route = route
        self.uid = pod.metadata.uid
        self.name = pod.metadata.name
        self.host = pod.status.pod_ip
        self.port = _port(pod)
        self.revision = pod.metadata.labels.get(LABEL_REVISION, "")
        self.in_flight = 0
        self.ready = self.probed = self.suspect = self.busy = self.gone = False
        self.pool = open_pool(self.host, self.port)

    @property
    def callable(self) -> bool:
        """Whether calls may go to it."""
        return (self.ready or self.probed) and not self.suspect and not self.gone


class Route:
    """One Function's way to its Pods."""

    __slots__ = (
        "balance", "callable", "concurrency", "counts", "events", "function", "host", "idempotent", "key", "load",
        "ref", "revision", "targets", "timeout",
    )  # fmt: skip

    def __init__(self, ref: FunctionRef) -> None:
        self.ref = ref
        self.key = str(ref)
        self.host = f"{ref.name}.{ref.namespace}"
        self.function: Function | None = None
        self.timeout = 60.0
        self.concurrency = 1
        self.idempotent = False
        self.revision = ""
        self.targets: dict[str, Target] = {}
        self.callable = False
        """Whether any Pod can take calls, be it full at the moment."""
        self.balance: LeastLoaded[Target] = LeastLoaded()
        self.load = Gauge()
        self.counts = Counts()
        self.events = EventNames(ref)

    def refresh(self) -> None:
        """Takes up the choice anew: callable Pods of the function's revision, and only without any those of others."""
        able = [target for target in self.targets.values() if target.callable]
        self.callable = bool(able)
        current = [target for target in able if target.revision == self.revision] or able
        self.balance = LeastLoaded(target for target in current if not target.busy)


class Update(NamedTuple):
    """What a change did: the routes that it touched and the Pods that left."""

    routes: list[Route]
    removed: list[Target]


class RouteTable:
    """All routes. ``by_subject`` has those of existing Functions by the subject of their calls."""

    def __init__(self, open_pool: "OpenPool") -> None:
        self.routes: dict[FunctionRef, Route] = {}
        self.by_subject: dict[str, Route] = {}
        self._open_pool = open_pool
        self._targets: dict[str, Target] = {}
        self._uids: dict[str, str] = {}
        """``namespace/name`` of each known Pod to its UID: a recreated Pod has the name, but not the UID."""

    def put_function(self, function: Function) -> Route | None:
        """Takes up a new or changed Function; None when its name could not be a subject's token."""
        ref = FunctionRef(function.metadata.namespace, function.metadata.name)
        if not is_label(ref.namespace) or not is_label(ref.name):
            return None
        route = self._route(ref)
        route.function = function
        route.timeout = min(parse_duration(function.spec.timeout), MAX_TIMEOUT)
        route.concurrency = function.spec.concurrency
        route.idempotent = function.spec.idempotent
        route.revision = function.status.revision
        route.refresh()
        self.by_subject[subjects.invoke(ref)] = route
        return route

    def remove_function(self, ref: FunctionRef) -> Route | None:
        """Forgets a deleted Function; its Pods go when they are deleted themselves."""
        route = self.routes.get(ref)
        if route is not None:
            route.function = None
            self.by_subject.pop(subjects.invoke(ref), None)
            self._drop_if_empty(route)
        return route

    def put_pod(self, pod: Pod) -> Update:
        """Takes up a new or changed Pod. It leaves the moment it is being deleted, has ended or is no longer ready."""
        meta = pod.metadata
        key = f"{meta.namespace}/{meta.name}"
        removed = self._remove(key, known) if (known := self._uids.get(key, meta.uid)) != meta.uid else []
        ref = FunctionRef(meta.namespace, meta.labels.get(LABEL_FUNCTION, ""))
        target = self._targets.get(meta.uid)
        lives = meta.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")
        if not (lives and _is_address(pod.status.pod_ip) and is_label(ref.namespace) and is_label(ref.name)):
            return self._update([*removed, *self._remove(key, meta.uid)])
        if target is not None and (target.host != pod.status.pod_ip or target.route.ref != ref):
            removed += self._remove(key, meta.uid)
            target = None
        if target is None:
            route = self._route(ref)
            target = self._targets[meta.uid] = route.targets[meta.uid] = Target(route, pod, self._open_pool)
            self._uids[key] = meta.uid
        self._set_ready(target, pod)
        target.route.refresh()
        return self._update(removed, target.route)

    def remove_pod(self, pod: Pod) -> Update:
        """Forgets a deleted Pod; a newer one of its name stays."""
        return self._update(self._remove(f"{pod.metadata.namespace}/{pod.metadata.name}", pod.metadata.uid))

    def _route(self, ref: FunctionRef) -> Route:
        route = self.routes.get(ref)
        if route is None:
            route = self.routes[ref] = Route(ref)
        return route

    def _set_ready(self, target: Target, pod: Pod) -> None:
        ready = any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)
        if ready != target.ready:
            # a turn of the watch's word beats what the router found out itself; the same word again does not
            target.ready, target.probed, target.suspect = ready, False, False

    def _remove(self, key: str, uid: str) -> list[Target]:
        if self._uids.get(key) == uid:
            del self._uids[key]
        target = self._targets.pop(uid, None)
        if target is None:
            return []
        target.gone = True
        del target.route.targets[uid]
        target.route.refresh()
        self._drop_if_empty(target.route)
        return [target]

    def _drop_if_empty(self, route: Route) -> None:
        if route.function is None and not route.targets:
            self.routes.pop(route.ref, None)

    def _update(self, removed: list[Target], *routes: Route) -> Update:
        touched = dict.fromkeys((*routes, *(target.route for target in removed)))
        return Update(list(touched), removed)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _port(pod: Pod) -> int:
    for container in pod.spec.containers:
        for port in container.ports:
            if 0 < port.container_port < 65536:
                return port.container_port
    return DEFAULT_PORT
