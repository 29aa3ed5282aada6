"""Events on a real nats-server: from the door and from runs to whoever listens, in order, once, also after a crash."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import nats
import pytest

from services.contracts.names import FunctionRef
from services.workflow.engine.stimuli import EventArrived
from services.workflow.events.door import Door
from services.workflow.events.hub import Hub
from services.workflow.store import jetstream
from services.workflow.store.events import EventStore
from services.workflow.store.jetstream import JetStream
from services.workflow.worker.protocol import EmitEvent
from tests.support.bus import Bus, running_bus
from tests.support.patience import PATIENCE
from tests.support.stores import play, ref


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    with running_bus(tmp_path_factory.mktemp("events"), {"default": ["*"], "red": ["red"]}) as running:
        yield running


def event(number: int, type_: str = "t", **more: Any) -> dict[str, Any]:
    return {"specversion": "1.0", "id": f"e-{number}", "source": "/test", "type": type_, "data": number} | more


class Delivered:
    """What runs were given, by run; whoever waits for a number of events is told."""

    def __init__(self) -> None:
        self.found: dict[str, list[Any]] = {}
        self.sequences: dict[str, list[int]] = {}
        self._changed = asyncio.Event()

    def __call__(self, run: FunctionRef, arrived: EventArrived) -> None:
        self.found.setdefault(run.name, []).append(arrived.event["data"])
        self.sequences.setdefault(run.name, []).append(arrived.sequence)
        self._changed.set()

    async def until(self, run: str, data: Any) -> None:
        async with asyncio.timeout(PATIENCE):
            while data not in self.found.get(run, []):
                self._changed.clear()
                await self._changed.wait()


@asynccontextmanager
async def hub(js: JetStream, deliver: Callable[[FunctionRef, EventArrived], None]) -> AsyncIterator[Hub]:
    made = Hub(EventStore(js), js.bus, deliver, lambda _: 0)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def door(js: JetStream) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        handler = Door(EventStore(js), js.bus, tasks).on_event
        subscription = await js.bus.subscribe("faas.send.*", queue="workflow", cb=handler)
        await js.bus.flush()
        yield
        await subscription.unsubscribe()


async def put(js: JetStream, number: int, namespace: str = "default", **more: Any) -> int:
    return await EventStore(js).put(namespace, msgspec.json.encode(event(number, **more)), f"{namespace}-{number}")


def test_a_caller_sends_an_event_and_a_run_that_listens_gets_it(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        delivered = Delivered()
        async with hub(js, delivered) as events, door(js):
            events.register(ref("run"), 3, ("hello",), time.time() - 1, 0)
            caller = await nats.connect(bus.caller_url)
            reply = await caller.request("faas.send.default", msgspec.json.encode(event(1, "hello")), timeout=5)
            answer = msgspec.json.decode(reply.data)
            assert (reply.headers or {})["Faas-Status"] == "202"
            await delivered.until("run", 1)
            assert answer == {"id": "e-1", "sequence": delivered.sequences["run"][0], "version": 1}
            again = await caller.request("faas.send.default", msgspec.json.encode(event(1, "hello")), timeout=5)
            assert msgspec.json.decode(again.data)["sequence"] == answer["sequence"]  # one event, however often sent
            other = await caller.request("faas.send.other", msgspec.json.encode(event(1, "hello")), timeout=5)
            assert msgspec.json.decode(other.data)["sequence"] > answer["sequence"]
            await put(js, 100, type="hello")
            await delivered.until("run", 100)
            assert delivered.found == {"run": [1, 100]}
            await caller.close()

    play(bus, scene)


def test_the_door_refuses_with_a_reason_and_a_foreign_message_id_changes_nothing(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        async with door(js):
            caller = await nats.connect(bus.caller_url)
            refused = await caller.request("faas.send.default", b'{"id":"x"}', timeout=5)
            fields = refused.headers or {}
            assert (fields["Faas-Status"], fields["Faas-Error"]) == ("400", "bad_request")
            assert "specversion is missing" in msgspec.json.decode(refused.data)["message"]
            mine = {"Nats-Msg-Id": "taken", "Nats-Expected-Last-Sequence": "0", "Nats-Rollup": "all"}
            for number in (201, 202):
                body = msgspec.json.encode(event(number))
                reply = await caller.request("faas.send.default", body, headers=mine, timeout=5)
                assert (reply.headers or {})["Faas-Status"] == "202"
            found = [each.attributes["data"] for each in await EventStore(js).page("default", 0, time.time() - 60)]
            assert found[-2:] == [201, 202]
            await caller.close()

    play(bus, scene)


def test_a_caller_can_send_to_its_namespaces_alone(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        async with door(js):
            caller = await nats.connect(bus.user_url("caller-red"))
            reply = await caller.request("faas.send.red", msgspec.json.encode(event(1)), timeout=5)
            assert (reply.headers or {})["Faas-Status"] == "202"
            with pytest.raises(nats.errors.NoRespondersError):
                await caller.request("faas.send.default", msgspec.json.encode(event(1)), timeout=5)
            await caller.close()

    play(bus, scene)


def test_a_run_gets_what_was_stored_after_its_cursor_or_since_it_listens(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        delivered = Delivered()
        sequences = [await put(js, number, "cursor") for number in range(5)]
        await asyncio.sleep(0.02)  # events before and after a moment are told apart by their times
        since = time.time()
        await asyncio.sleep(0.02)
        later = [await put(js, number, "cursor") for number in range(5, 8)]
        async with hub(js, delivered) as events:
            events.register(ref("all", "cursor"), 1, (), since, sequences[2])
            events.register(ref("since", "cursor"), 1, (), since, 0)
            events.register(ref("new", "cursor"), 1, (), since, later[-1])
            events.register(ref("elsewhere", "no-events"), 1, (), 0.0, 0)
            await put(js, 8, "cursor")
            for run in ("all", "since", "new"):
                await delivered.until(run, 8)
        assert delivered.found == {"all": [3, 4, 5, 6, 7, 8], "since": [5, 6, 7, 8], "new": [8]}

    play(bus, scene)


def test_no_event_is_missed_by_those_who_come_while_events_come(bus: Bus) -> None:
    """Each listener gets the events from its cursor on without a gap, though reading the older ones takes its time."""

    async def scene(js: JetStream) -> None:
        delivered, count = Delivered(), 300
        first = await put(js, 0, "busy")
        async with hub(js, delivered) as events:

            async def send() -> None:
                for number in range(1, count):
                    await put(js, number, "busy")

            sending = asyncio.create_task(send())
            for number in range(60):
                events.register(ref(f"r{number}", "busy"), 1, ("t",), 0.0, first)
                await asyncio.sleep(0.003)  # spread over the time in which events come
            await sending
            for number in range(60):
                await delivered.until(f"r{number}", count - 1)
        assert all(found == list(range(1, count)) for found in delivered.found.values())

    play(bus, scene)


def test_one_that_stops_listening_gets_nothing_more(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        delivered = Delivered()
        async with hub(js, delivered) as events:
            for run in ("stays", "goes"):
                events.register(ref(run, "drop"), 1, (), time.time() - 1, 0)
            await put(js, 1, "drop")
            await delivered.until("goes", 1)
            await delivered.until("stays", 1)
            events.drop(ref("goes", "drop"), 1)
            await put(js, 2, "drop")
            await delivered.until("stays", 2)
        assert delivered.found == {"stays": [1, 2], "goes": [1]}

    play(bus, scene)


class Emitting(NamedTuple):
    ref: FunctionRef
    workflow: str


def test_an_emitted_event_is_stored_once_and_published(bus: Bus) -> None:
    async def scene(js: JetStream) -> None:
        delivered = Delivered()
        caller = await nats.connect(bus.caller_url)
        heard = await caller.subscribe("faas.event.emitting.workflow.order.emitted")
        await caller.flush()
        async with hub(js, delivered) as events:
            events.register(ref("listener", "emitting"), 1, ("t",), time.time() - 1, 0)
            command = EmitEvent(4, msgspec.json.encode(event(7)))
            for _ in range(2):  # as by a new owner, who can't know
                ended = await events.emit(Emitting(ref("emitter", "emitting"), "order"), command)
                assert (ended.task, ended.error) == (4, None)
            await put(js, 8, "emitting")
            await delivered.until("listener", 8)
            assert delivered.found == {"listener": [7, 8]}
            assert msgspec.json.decode((await heard.next_msg(5)).data)["data"] == 7
            no_type = EmitEvent(5, msgspec.json.encode(event(9, type_=None)))  # type: ignore[arg-type]
            ended = await events.emit(Emitting(ref("emitter", "emitting"), "order"), no_type)
            assert ended.error is not None
            assert "$.type" in ended.error["detail"]
            too_large = EmitEvent(5, msgspec.json.encode(event(9, data="x" * 2_000_000)))
            ended = await events.emit(Emitting(ref("emitter", "emitting"), "order"), too_large)
            assert ended.error is not None
            assert "at most" in ended.error["detail"]
        await caller.close()

    play(bus, scene)


def test_events_go_on_without_gap_or_repetition_through_kills_of_nats_server(tmp_path: Path) -> None:
    with running_bus(tmp_path) as bus:

        async def scene(js: JetStream) -> None:
            delivered, rounds = Delivered(), 3
            async with hub(js, delivered) as events:
                events.register(ref("run"), 1, (), time.time() - 1, 0)
                numbers, last = itertools.count(), 0
                for _ in range(rounds):
                    for _ in range(20):
                        await put(js, next(numbers))
                    restarting = asyncio.create_task(asyncio.to_thread(bus.restart))
                    for _ in range(20):
                        last = next(numbers)
                        await put(js, last)
                    await restarting
                await delivered.until("run", last)
            assert delivered.found == {"run": list(range(last + 1))}

        play(bus, scene)


def test_a_new_owner_goes_on_from_the_cursor(bus: Bus) -> None:
    """The first hub is gone after some events; the second one, told of the last that was consumed, gives the rest."""

    async def scene(js: JetStream) -> None:
        first, second = Delivered(), Delivered()
        async with hub(js, first) as events:
            events.register(ref("run", "owners"), 1, (), time.time() - 1, 0)
            for number in range(5):
                await put(js, number, "owners")
            await first.until("run", 4)
        for number in range(5, 8):
            await put(js, number, "owners")
        consumed = first.sequences["run"][2]  # the last two were given to the run, but never got into its history
        async with hub(js, second) as events:
            events.register(ref("run", "owners"), 1, (), 0.0, consumed)
            await second.until("run", 7)
        assert second.found == {"run": [3, 4, 5, 6, 7]}

    play(bus, scene)


def test_many_that_come_back_read_the_older_events_together(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "_PAGE_BYTES", 2000)

    async def scene(js: JetStream) -> None:
        delivered, runs, count = Delivered(), 500, 200
        begun = time.time()
        first = await put(js, 0, "together")
        for number in range(1, count):
            await put(js, number, "together", type=f"t{number % 4}")
        requests = js._numbers
        async with hub(js, delivered) as events:
            before = next(requests)
            for number in range(runs):
                after = first if number % 2 else 0
                events.register(ref(f"r{number}", "together"), 1, (f"t{number % 3}",), begun - 1, after)
            await put(js, count, "together", type="t0")
            await delivered.until(f"r{3 * (runs // 3) - 3}", count)
            assert next(requests) - before < 400  # not one of each run for each page
        for number in range(runs):
            kind = number % 3
            expected = [each for each in range(1, count) if each % 4 == kind]
            assert delivered.found[f"r{number}"] == expected + ([count] if kind == 0 else [])

    play(bus, scene)
