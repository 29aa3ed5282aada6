"""Transitions and snapshots as bytes: large records apart, values shared, nothing lost."""

import msgspec
import pytest

from services.workflow.engine import records as r
from services.workflow.engine.state import Frame, State
from services.workflow.worker import snapshot, transition

ANSWERED = r.TaskAnswered(at=1.0, frame=1, output={"a": [1, "b", None, 2.5]})


def test_a_message_gives_its_records_back() -> None:
    records = [ANSWERED, r.TaskEnded(at=1.0, frame=1, next="/do/1/b"), r.RunCompleted(at=2.0, output=10**30)]
    message, blobs = transition.pack(records)
    assert message.startswith(b'{"records":[{"record":"TaskAnswered",')
    assert (transition.unpack(message, blobs), blobs) == (records, {})


def test_a_large_record_is_stored_by_its_digest() -> None:
    large = r.TaskAnswered(at=1.0, frame=1, output="x" * transition.LARGE)
    message, blobs = transition.pack([ANSWERED, large])
    assert len(message) < 300
    assert transition.digests(message) == list(blobs)
    assert transition.unpack(message, blobs) == [ANSWERED, large]
    with pytest.raises(transition.Unreadable, match=next(iter(blobs))):
        transition.unpack(message, {})


def test_many_middling_records_make_no_message_that_is_too_large() -> None:
    records = [r.TaskAnswered(at=1.0, frame=number, output="x" * 40_000) for number in range(500)]
    message, blobs = transition.pack(records)
    assert len(message) <= transition.LONGEST
    assert transition.unpack(message, blobs) == records


def test_data_that_looks_like_a_large_record_is_none() -> None:
    sly = r.TaskAnswered(at=1.0, frame=1, output={"record": "Large", "sha256": "0", "size": 1})
    message, blobs = transition.pack([sly])
    assert transition.digests(message) == []
    assert transition.unpack(message, blobs) == [sly]


def test_no_message_of_another_shape_is_read() -> None:
    for message in (b"", b"{}", b'{"records":[{"record":"Strange"}]}', b'{"records":[{"record":"TaskEnded"}]}'):
        with pytest.raises(transition.Unreadable):
            transition.unpack(message, {})


def state() -> State:
    shared = {"rows": list(range(1000))}
    frames = {0: Frame(id=0, pointer="", raw=shared, input=shared, data={"value": 7})}
    for number in range(1, 100):
        frames[number] = Frame(id=number, pointer="/do/0/f", parent=0, raw=shared, input=shared, data=shared)
    frames[100] = Frame(id=100, pointer="/do/0/c", parent=0, outputs={0: shared, 1: 5}, items=[shared], attempt=3)
    return State(id="r", seed="s", input=shared, context={"value": 0}, started_at=5.0, frames=frames, ready=[3, 1])


def test_a_snapshot_gives_the_state_back_and_writes_what_frames_share_once() -> None:
    before = state()
    data = snapshot.encode(before, 12, 6.0)
    assert len(data) < 4 * len(msgspec.json.encode(before.input)) + 20_000
    found = snapshot.decode(data)
    assert (found.state, found.records, found.at) == (before, 12, 6.0)
    frames = found.state.frames
    assert frames[1].raw is frames[99].data is found.state.input
    assert found.state.frames[50].timeout_at is None
    assert state() == before, "encoding changes nothing"


def test_another_snapshot_is_not_read() -> None:
    other = msgspec.json.encode([2, 0, 0.0, [], msgspec.to_builtins(State())])
    for data in (b"", b"[]", other, b'[1,0,0.0,[],{"input":{"value":0}}]'):
        with pytest.raises(snapshot.Unreadable):
            snapshot.decode(data)
