"""What a call can fail of: the answer has code and message, the log has the traceback, and the worker goes on."""

import json
from collections.abc import Iterator

import pytest

from tests.support.http import Answer
from tests.support.patience import eventually
from tests.support.runtime import Pod, pod

MIB = 1024 * 1024


def error_of(answer: Answer) -> tuple[int, str, str]:
    """Status, code and message; header and body must agree."""
    document = json.loads(answer.body)
    assert set(document) == {"code", "message"}
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["faas-error"] == document["code"]
    return answer.status, document["code"], document["message"]


HANDLERS = """
    import asyncio, sys

    class Broken(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    class Stop(BaseException):
        pass

    def loop():
        value = []
        value.append(value)
        return value

    def fail(kind):
        if kind == "value":
            raise ValueError("bad x\\nsecond line")
        if kind == "bare":
            raise KeyError
        if kind == "broken":
            raise Broken
        if kind == "base":
            raise Stop("now")
        if kind == "exit":
            sys.exit("done")
        if kind == "exit0":
            raise SystemExit
        if kind == "long":
            raise ValueError("x" * 100_000)
        if kind == "generator":
            return (x for x in [1])
        if kind == "object":
            return {"a": object()}
        if kind == "cycle":
            return loop()
        if kind == "surrogate":
            return "\\ud800"
        if kind == "coroutine":
            return asyncio.sleep(0)
        if kind == "response":
            from faas_runtime import Response
            return Response(headers={"X": "a\\r\\nY: b"})
        return kind
"""


@pytest.fixture(scope="module", params=["def", "async def"])
def failing(request: pytest.FixtureRequest) -> Iterator[Pod]:
    with pod(HANDLERS + f"\n    {request.param} handle(event):\n        return fail(event)\n") as running:
        yield running


@pytest.mark.parametrize(
    ("kind", "code", "message"),
    [
        ("value", "handler_failed", "ValueError: bad x\nsecond line"),
        ("bare", "handler_failed", "KeyError"),
        ("broken", "handler_failed", "Broken: (its text cannot be shown: RuntimeError)"),
        ("base", "handler_failed", "Stop: now"),
        ("exit", "handler_exited", "the handler called sys.exit with 'done'"),
        ("exit0", "handler_exited", "the handler called sys.exit"),
        ("long", "handler_failed", ("ValueError: " + "x" * 5000)[:4096]),
        ("response", "handler_failed", "ValueError: header X cannot have the value 'a\\r\\nY: b'"),
        ("generator", "result_not_encodable", "generator"),
        ("object", "result_not_encodable", "type object"),
        ("cycle", "result_not_encodable", "recursion"),
        ("surrogate", "result_not_encodable", "not Unicode"),
        ("coroutine", "result_not_encodable", "async def"),
    ],
)
def test_failing_handler(failing: Pod, kind: str, code: str, message: str) -> None:
    worker = failing.workers
    status, found, text = error_of(failing.call(kind, {"Faas-Id": f"id-{kind}"}))
    assert (status, found) == (500, code)
    assert text == message if code.startswith("handler") else message in text
    assert "Traceback" not in text
    if code.startswith("handler"):
        eventually(
            lambda: f"call id-{kind} failed\nTraceback" in failing.log or kind == "bare", "the log has the traceback"
        )
        assert "faas_runtime/" not in failing.log.replace("faas_runtime/response.py", "")  # from the author's frame on
    assert failing.call("fine").body == b"fine"
    assert failing.workers == worker


@pytest.mark.parametrize("body", [b"{", b'{"x":1}trailing', b"NaN", b"\xff", b"[" * 200_000, b"'x'", b" "])
def test_body_that_is_not_json(failing: Pod, body: bytes) -> None:
    status, code, message = error_of(failing.call(body))
    assert (status, code) == (400, "bad_request")
    assert message.startswith("the body is not JSON: ")


def test_text_that_is_not_utf8() -> None:
    with pod("def handle(text: str):\n    return text") as running:
        assert error_of(running.call(b"\xff"))[:2] == (400, "bad_request")


def test_too_much_in_and_too_much_out() -> None:
    main = """
        def handle(body: bytes):
            return body if len(body) > 10 else bytes(int(body))
    """
    with pod(main) as running:
        assert len(running.call(b"x" * (8 * MIB - 8192)).body) == 8 * MIB - 8192
        status, code, message = error_of(running.call(b"x" * (8 * MIB)))  # let in, but not out
        assert (status, code) == (500, "result_too_large")
        assert str(8 * MIB) in message
        assert str(8 * MIB - 8192) in message
        status, code, message = error_of(running.call(b"x" * (8 * MIB + 1)))
        assert (status, code) == (413, "payload_too_large")
        assert str(8 * MIB + 1) in message
        assert str(8 * MIB) in message
        assert running.call(b"12").body == bytes(12)


@pytest.mark.parametrize("value", ["1.5", "-1", "soon", "99999999999", ""])
def test_wrong_timeout_header(value: str) -> None:
    with pod("def handle(event):\n    return event") as running:
        status, code, message = error_of(running.call(1, {"Faas-Timeout-Ms": value}))
        assert (status, code) == (400, "bad_request")
        assert "Faas-Timeout-Ms" in message


def test_no_time_left_starts_nothing() -> None:
    with pod("def handle(event):\n    print('started')") as running:
        assert error_of(running.call(1, {"Faas-Timeout-Ms": "0"}))[:2] == (504, "handler_timeout")
        assert running.call(1).status == 200
        assert running.log.count("started") == 1


def test_a_process_that_ends_is_replaced() -> None:
    main = """
        import os
        def handle(event):
            if event == "die":
                os._exit(7)
            return os.getpid()
    """
    with pod(main) as running:
        before = int(running.call(1).body)
        with pytest.raises(ConnectionError):
            running.call("die")
        after = int(running.call(1).body)  # waits in the socket's queue until the new worker is there
        assert before != after
        assert f"worker {before} exited with code 7; a new one is started" in running.log
        assert running.stop() == 0


def test_processes_that_die_young_one_after_another_are_started_more_slowly() -> None:
    main = """
        import os
        def handle(event):
            return os._exit(1) if event == "die" else event
    """
    with pod(main) as running:
        deaths = 0
        while "as did those before; a new one is started in 0.5 s" not in running.log:
            with pytest.raises(ConnectionError):
                running.call("die")
            deaths += 1
        assert deaths >= 6
        assert running.call("live").body == b"live"  # it was only late


def test_sys_exit_in_a_task_of_the_authors_own_ends_that_task_alone() -> None:
    main = """
        import asyncio, os, sys
        async def leave():
            sys.exit(3)
        async def handle(event):
            if event == "leave":
                asyncio.get_running_loop().create_task(leave())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            return os.getpid()
    """
    with pod(main) as running:
        assert running.call("leave").body == running.call(1).body
