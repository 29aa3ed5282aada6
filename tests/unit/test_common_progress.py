"""Which calls end by silence or deadline, on virtual time."""

import asyncio
from collections.abc import Iterator

import pytest

from services.common.progress import alive, forgive, sweep
from services.common.replies import Call
from services.contracts.errors import Code, FaasError


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def call(loop: asyncio.AbstractEventLoop, name: str = "c", deadline: float = 1000.0) -> Call:
    return Call(name, loop.create_future(), 0.0, deadline)


def code_of(found: Call) -> Code | None:
    if not found.future.done():
        return None
    error = found.future.exception()
    assert isinstance(error, FaasError)
    return error.code


def test_silence_of_three_seconds_loses_the_router(loop: asyncio.AbstractEventLoop) -> None:
    silent = call(loop)
    sweep([silent], 3.0)
    assert code_of(silent) is None
    sweep([silent], 3.01)
    assert code_of(silent) is Code.ROUTER_LOST


def test_a_sign_of_life_counts_for_the_calls_it_names(loop: asyncio.AbstractEventLoop) -> None:
    held, other, twin = call(loop, "a"), call(loop, "b"), call(loop, "a")
    alive([held, other, twin], frozenset({"a", "x"}), 2.0)
    sweep([held, other, twin], 4.0)
    assert [code_of(found) for found in (held, other, twin)] == [None, Code.ROUTER_LOST, None]


def test_a_deadline_ends_a_call_whatever_its_router_says(loop: asyncio.AbstractEventLoop) -> None:
    late = call(loop, deadline=5.0)
    alive([late], frozenset({"c"}), 5.0)
    sweep([late], 5.0)
    assert code_of(late) is None
    sweep([late], 5.1)
    assert code_of(late) is Code.DEADLINE_EXCEEDED


def test_time_in_which_this_process_did_not_run_is_no_silence(loop: asyncio.AbstractEventLoop) -> None:
    found = call(loop)
    forgive([found], 60.0)
    sweep([found], 62.0)
    assert code_of(found) is None


def test_a_call_that_was_answered_is_left_alone(loop: asyncio.AbstractEventLoop) -> None:
    answered = call(loop)
    answered.future.cancel()
    sweep([answered], 100.0)
    answered.fail(FaasError(Code.INTERNAL, "late"))
    assert answered.future.cancelled()
