"""What a worker remembers is bounded, whatever comes."""

import json
import socket

from services.workflow.engine import records as r
from services.workflow.worker.framing import Splitter, framed
from services.workflow.worker.held import Held, Memory
from services.workflow.worker.protocol import History
from services.workflow.worker.serving import _next
from services.workflow.worker.transition import pack
from tests.support.workflows import definition

DOCUMENT = json.dumps(definition({"a": {"set": {"b": 1}}})).encode()


def held(size: int = 100) -> Held:
    made = Held()
    made.tail = size
    return made


def test_the_least_recently_used_run_goes_when_there_are_too_many() -> None:
    memory = Memory(runs=2, size=10_000)
    for name in "ab":
        memory.put(name, held())
    a = memory.take("a")
    assert a is not None
    memory.put("a", a)
    memory.put("c", held())
    assert [memory.take(name) is not None for name in "abc"] == [True, False, True]


def test_runs_go_when_they_are_too_large_together_or_alone() -> None:
    memory = Memory(runs=100, size=1000)
    for name in "abc":
        memory.put(name, held(400))
    assert [memory.take(name) is not None for name in "abc"] == [False, True, True]
    memory.put("d", held(1001))
    assert memory.take("d") is None
    memory.put("e", held(900))
    assert memory.take("e") is not None, "what is gone no longer counts"


def test_a_run_put_twice_counts_once() -> None:
    memory = Memory(runs=100, size=1000)
    for _ in range(5):
        memory.put("a", held(600))
    assert memory.take("a") is not None


def test_plans_are_made_once_and_bounded() -> None:
    memory = Memory(runs=1, size=1)
    assert memory.plan("first", b"") is None
    first = memory.plan("first", DOCUMENT)
    assert first is not None
    assert memory.plan("first", b"") is first
    for number in range(300):
        memory.plan(str(number), DOCUMENT)
    assert memory.plan("first", b"") is None
    assert memory.plan("299", b"") is not None


def test_a_history_is_read_from_its_snapshot_on() -> None:
    started = r.RunStarted(at=1.0, id="r", seed="s", input=[1])
    begun = r.TaskStarted(at=2.0, frame=0)
    whole = Held.read(History(b"", [pack([started])[0], pack([])[0], pack([begun])[0]], {}))
    assert (whole.records, whole.at) == (2, 2.0)
    first = Held.read(History(b"", [pack([started])[0]], {}))
    first.tail = 1 << 20
    snapshot = first.snapshot_when_due()
    assert snapshot
    assert not first.snapshot_when_due(), "nothing is new since"
    rest = Held.read(History(snapshot, [pack([begun])[0]], {}))
    assert (rest.state, rest.records, rest.at) == (whole.state, 2, 2.0)


def test_messages_come_out_of_a_stream_however_it_is_cut() -> None:
    messages = [b"", b"a", b"b" * 1000, b"c"]
    stream = b"".join(map(framed, messages))
    for size in (1, 3, 5, 999, 5000):
        splitter = Splitter()
        parts = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert [message for part in parts for message in splitter.feed(part)] == messages


def test_a_service_that_is_gone_is_the_end_of_requests() -> None:
    ours, its = socket.socketpair()
    with its, its.makefile("rb") as stream:
        its.sendall(b"an answer that nobody will read")
        ours.close()
        assert _next(stream) == b""
