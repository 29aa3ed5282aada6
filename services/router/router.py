"""Puts the router's parts together: watches change the table, messages become calls, replies and reports go out."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from services.common.watch import Change
from services.contracts import subjects
from services.contracts.errors import Code, FaasError
from services.contracts.messages import LoadReport
from services.contracts.names import FunctionRef, InvalidName
from services.contracts.resources import Function
from services.router import coldstart, describe, progress, reply, request
from services.router.call import Call
from services.router.config import RouterSettings
from services.router.events import EventNames, Events
from services.router.forward import Forwarder
from services.router.load import LoadReporter
from services.router.metrics import Totals
from services.router.outbox import Outbox
from services.router.podclient import PodPool
from services.router.probe import Prober
from services.router.table import Pod, Route, RouteTable, Target, Update

log = logging.getLogger("router")
clock = time.monotonic
_encode = msgspec.json.Encoder().encode
_INBOXES = ("_INBOX.", "_R_.")
"""Where replies may go (``_R_.``: to other accounts): a caller must not make the router publish elsewhere."""
HOUSEKEEPING = 0.25
"""Seconds between looks for connections that were idle too long and for Pods that turned calls away."""


class Router:
    """One router. ``tasks`` owns connection attempts and probes. Implements forward.Surroundings."""

    def __init__(self, settings: RouterSettings, name: str, bus: Client, tasks: asyncio.TaskGroup) -> None:
        self._settings = settings
        self._name = name
        self._tasks = tasks
        self.totals = Totals()
        self.outbox = Outbox(bus, self.totals)
        self.events = Events(self.outbox.event, time.time)
        self.table = RouteTable(self._open_pool)
        self.forwarder = Forwarder(settings, self.table, self, self.totals, clock)
        count = self.forwarder.queue.count
        self.load = LoadReporter(name, self.table.routes.values, count, self._send_report, clock)
        self.prober = Prober(tasks, count, self._on_healthy, clock)
        self._ids = (f"{secrets.token_hex(6)}-{number}" for number in range(1 << 62))
        self._ticking = False

    def _open_pool(self, host: str, port: int) -> PodPool:
        return PodPool(host, port, self._tasks, self._settings.connect_timeout, clock)

    # --- from the watches ---

    def on_function(self, change: Change[Function]) -> None:
        """A Function came, changed or went."""
        meta = change.new.metadata
        ref = FunctionRef(meta.namespace, meta.name)
        if change.type == "DELETED":
            route = self.table.remove_function(ref)
            if route is not None:
                self.forwarder.give_up(route, coldstart.not_found(ref))
            return
        route = self.table.put_function(change.new)
        if route is None:
            log.error("function %s/%s has a name that no call can have; it is left out", *ref)
            return
        if not route.callable and coldstart.fails_waiting(change.old, change.new):
            self.forwarder.give_up(route, coldstart.not_now(ref, change.new))
        self.forwarder.dispatch(route)

    def on_pod(self, change: Change[Pod]) -> None:
        """A Pod came, changed or went."""
        deleted = change.type == "DELETED"
        self._take_up(self.table.remove_pod(change.new) if deleted else self.table.put_pod(change.new))

    def _take_up(self, update: Update) -> None:
        for target in update.removed:
            target.pool.close()
        for route in update.routes:
            self.forwarder.dispatch(route)
            self.prober.look_at(route)

    def _on_healthy(self, target: Target) -> None:
        target.probed, target.suspect = True, False
        target.route.refresh()
        self.forwarder.dispatch(target.route)

    # --- from the bus ---

    async def on_call(self, message: Msg) -> None:
        """A request on ``faas.invoke.<namespace>.<name>``. Nothing is awaited: nats-py wants a coroutine."""
        if not message.reply.startswith(_INBOXES):
            self.totals.without_reply += 1
            return
        route = self.table.by_subject.get(message.subject)
        identity = ""
        try:
            ref = route.ref if route is not None else subjects.parse_ref(message.subject)
            identity = request.call_id(message.headers) or next(self._ids)
            asked = request.read(message.headers, message.data, f"{ref.name}.{ref.namespace}", identity)
        except InvalidName as error:
            self._refuse(message.reply, FaasError(Code.INVALID_NAME, str(error)))
            return
        except FaasError as error:
            self._refuse(message.reply, error)
            return
        key = route.key if route is not None else str(ref)
        call = Call(self.forwarder, message.subject, key, message.reply, asked, message.data, clock())
        if asked.outside and (route is not None or not self.forwarder.synced):
            self.events.received(route.events if route is not None else EventNames(ref), call.id)
        self.forwarder.accept(call, route)
        if not self._ticking:
            self._tick()

    def _refuse(self, inbox: str, error: FaasError) -> None:
        self.totals.refused += 1
        answer = reply.from_error(error)
        self.outbox.reply(inbox, answer.body, answer.headers)

    async def on_describe(self, message: Msg) -> None:
        """A request on ``faas.sys.describe.<namespace>.<name>``."""
        try:
            ref = subjects.parse_ref(message.subject)
        except InvalidName as error:
            self._refuse(message.reply, FaasError(Code.INVALID_NAME, str(error)))
            return
        route = self.table.routes.get(ref)
        answer = describe.describe(ref, route.function if route is not None else None, self.forwarder.synced)
        self.outbox.reply(message.reply, answer.body, answer.headers)

    # --- forward.Surroundings ---

    def answer(self, call: Call, answer: reply.Reply, now: float) -> None:
        """Sends the reply; tells events and metrics."""
        self.outbox.reply(call.reply, answer.body, answer.headers)
        seconds = now - call.arrived
        route = call.route
        if route is not None:
            route.counts.ended(answer.code, seconds)
            names = route.events
        else:
            self.totals.refused += 1
            names = EventNames(subjects.parse_ref(call.subject))
        pod = answer.headers.get("Faas-Pod", "")
        self.events.ended(names, call.id, answer.status, seconds * 1000.0, pod, answer.code)

    def wants_pod(self, route: Route) -> None:
        """Calls wait, or a Pod became suspect."""
        self.prober.look_at(route)

    def entered(self, route: Route) -> None:
        """``route`` left zero."""
        self.load.left_zero(route)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Calls ``callback`` after ``seconds``."""
        asyncio.get_running_loop().call_later(seconds, callback)

    # --- from the clock ---

    def _tick(self) -> None:
        """Ends what is due, as long as there are calls."""
        self._ticking = len(self.forwarder.deadlines) > 0
        if self._ticking:  # set up first: whatever happens below, deadlines go on being watched
            self.later(self.forwarder.deadlines.width, self._tick)
        self.forwarder.tick()

    async def show_life(self) -> None:
        """Tells gateways each second which of their calls are held here; until cancelled."""
        while True:
            await asyncio.sleep(progress.PERIOD)
            for subject, message in progress.progress_messages(self._name, self.forwarder.calls, clock()):
                self.outbox.event(subject, _encode(message))

    async def keep_house(self) -> None:
        """Closes connections to Pods that were unused for too long and probes suspect Pods; until cancelled."""
        while True:
            await asyncio.sleep(HOUSEKEEPING)
            older_than = clock() - self._settings.idle_timeout
            for route in self.table.routes.values():
                self.prober.look_at(route)
                for target in route.targets.values():
                    target.pool.close_idle(older_than)

    def close(self) -> None:
        """Ends probes and connections."""
        self.prober.stop()
        for route in self.table.routes.values():
            for target in route.targets.values():
                target.pool.close()

    def _send_report(self, report: LoadReport) -> None:
        self.outbox.event(subjects.LOAD, _encode(report))
