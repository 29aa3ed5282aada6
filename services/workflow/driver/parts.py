"""What a workflow service is made of, put together."""

import asyncio
import time

from services.common.kube import KubeClient
from services.common.natsclient import FastClient
from services.common.progress import Watch
from services.common.replies import Replies
from services.contracts import subjects
from services.contracts.names import FunctionRef
from services.workflow.calls import Outside
from services.workflow.config import Settings
from services.workflow.controller.controller import Controller
from services.workflow.driver.children import Children
from services.workflow.driver.commands import Commands
from services.workflow.driver.control import Control
from services.workflow.driver.documents import Documents
from services.workflow.driver.functions import FunctionCalls
from services.workflow.driver.heartbeat import Heartbeat
from services.workflow.driver.link import Link
from services.workflow.driver.outside import CallsOutside
from services.workflow.driver.ownership import Members, Owner
from services.workflow.driver.recovery import Recovery
from services.workflow.driver.routing import Routing
from services.workflow.driver.runs import Runs
from services.workflow.driver.showing import Showing
from services.workflow.driver.starter import Starter
from services.workflow.driver.timers import Timers
from services.workflow.driver.transitions import Transitions
from services.workflow.engine.stimuli import EventArrived
from services.workflow.events.door import Door
from services.workflow.events.hub import Hub
from services.workflow.schedules.clock import Clock
from services.workflow.schedules.events import EventSchedules
from services.workflow.store.definitions import DefinitionStore
from services.workflow.store.events import EventStore
from services.workflow.store.jetstream import JetStream
from services.workflow.store.runs import RunStore
from services.workflow.store.timers import TimerStore
from services.workflow.worker.pool import Pool


class Parts:
    """``pool`` and ``outside`` are open; ``js`` is opened by whoever starts the service."""

    def __init__(
        self, settings: Settings, me: Owner, bus: FastClient, kube: KubeClient, pool: Pool, outside: Outside,
        tasks: asyncio.TaskGroup,
    ) -> None:  # fmt: skip
        self.js = JetStream(bus)
        self.link = Link(bus)
        self.store = RunStore(self.js)
        definitions = DefinitionStore(self.js)
        self.controller = Controller(kube, pool, definitions, outside)
        documents = Documents(definitions)
        secrets = self.controller.secrets
        self.replies = Replies(settings.max_calls, "workflow service")
        self.progress = Watch(self.replies, patient=True)
        self.transitions = Transitions(me, self.store, pool, documents, secrets, self.link)
        self.members = Members(me, settings.dead_seconds, time.monotonic())
        self.runs = Runs(self.transitions, tasks)
        self.routing = Routing(self.runs, self.store, self.members, self.replies)
        self.starter = Starter(self.runs, self.store, self.controller.definitions, documents, str(me))
        self.children = Children(self.starter, self.routing, self.transitions, tasks)
        functions = self.controller.functions
        calls = FunctionCalls(
            self.replies, self.link, subjects.progress(me.instance), settings.call_patience,
            functions.idempotent, functions.synced, lambda: self.recovery.confirm(),
        )  # fmt: skip
        self.timer_store = TimerStore(self.js)
        timers = Timers(self.timer_store, self.runs.put, self.transitions.until_done, tasks)
        event_store = EventStore(self.js)
        self.events = Hub(event_store, bus, self._on_event, self._untaken)
        self.door = Door(event_store, bus, tasks)
        outside_calls = CallsOutside(outside, documents, secrets, self.runs, lambda: self.recovery.confirm())
        self.recovery = Recovery(
            self.runs, self.routing, self.transitions, self.members, self.children, settings.scan_seconds
        )
        commands = Commands(self.runs, calls, outside_calls, self.events, timers, self.children, bus, tasks)
        self.runs.serve(commands, self.recovery.look)
        known = self.controller.definitions
        self.clock = Clock(self.timer_store, known, self.starter.start, self.store.head)
        self.event_schedules = EventSchedules(event_store, pool, self.starter.start, known.settled)
        known.listen(self.clock.on_definition)
        known.listen(self.event_schedules.on_definition)
        self.heartbeat = Heartbeat(bus, self.members, settings.alive_seconds, self.recovery.look)
        showing = Showing(self.transitions)
        self.control = Control(bus, me, self.runs, self.routing, self.starter, showing, tasks)

    def _on_event(self, ref: FunctionRef, arrived: EventArrived) -> None:
        run = self.runs.open.get(ref)
        if run is not None:
            self.runs.put(run, arrived)

    def _untaken(self, ref: FunctionRef) -> int:
        run = self.runs.open.get(ref)
        return 0 if run is None else len(run.queue)
