"""Calls that outrun their time, their neighbours, and processes that can no longer be talked to."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.http import Answer
from tests.support.patience import eventually
from tests.support.runtime import is_running, pod

SLEEP = """
    import asyncio, os, threading, time
    from testgate import gate
    {kind} handle(event):
        print("start", event, flush=True)
        if event.get("gate"):
            gate()
        if event["sleep"]:
            {sleep}(event["sleep"])
        print("end", event, flush=True)
        return os.getpid()
"""
BLOCKING = SLEEP.format(kind="def", sleep="time.sleep")
ASYNC = SLEEP.format(kind="async def", sleep="await asyncio.sleep")


def in_time(answer: Answer) -> bool:
    """Whether a call was answered with a result."""
    assert answer.status == 200 or answer.headers["faas-error"] == "handler_timeout", answer
    return answer.status == 200


def test_a_def_handler_that_outruns_is_answered_and_its_process_replaced_after_its_neighbours() -> None:
    with pod(BLOCKING, FAAS_TIMEOUT_MS="15000") as running, ThreadPoolExecutor(4) as clients:
        old = running.workers[0]
        neighbour = clients.submit(running.call, {"gate": True, "sleep": 0})
        eventually(lambda: running.log.count("start") == 1, "the neighbour has started")
        begun = time.monotonic()
        late = running.call({"sleep": 60}, {"Faas-Timeout-Ms": "300"})
        assert 0.29 < time.monotonic() - begun < 30
        assert (late.status, late.headers["faas-error"]) == (504, "handler_timeout")
        assert json.loads(late.body)["message"] == "the handler did not finish within 300 ms"
        fresh = int(running.call({"sleep": 0}).body)  # at once, by a fresh process, while the old one still works
        assert fresh != old
        assert is_running(old)
        running.open_gate()
        assert int(neighbour.result().body) == old
        eventually(lambda: not is_running(old), "the old process and its stuck thread are gone")
        eventually(lambda: running.workers == [fresh], "the parent has noticed")
        assert f"a handler outran its timeout; worker {old} is replaced" in running.log
        assert "end {'sleep': 60}" not in running.log


def test_kept_alive_connections_of_a_replaced_process_are_told_to_come_again() -> None:
    with pod(BLOCKING, FAAS_TIMEOUT_MS="15000") as running, ThreadPoolExecutor(2) as clients, running.connect() as kept:
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in kept.recv(1000)
        neighbour = clients.submit(running.call, {"gate": True, "sleep": 0})
        eventually(lambda: running.log.count("start") == 1, "the neighbour has started")
        assert not in_time(running.call({"sleep": 60}, {"Faas-Timeout-Ms": "200"}))
        kept.sendall(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n{"sleep":0}')
        answer = kept.recv(1000)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nFaas-Error: draining\r\n" in answer
        assert b"\r\nConnection: close\r\n" in answer
        running.open_gate()
        assert in_time(neighbour.result())


def test_an_async_handler_that_outruns_is_cancelled_and_its_process_stays() -> None:
    with pod(ASYNC) as running:
        worker = running.workers
        assert not in_time(running.call({"sleep": 60}, {"Faas-Timeout-Ms": "200"}))
        assert json.loads(running.call({"sleep": 0}).body) == worker[0]
        assert running.workers == worker
        assert "end {'sleep': 60}" not in running.log
        assert "failed" not in running.log


def test_an_async_handler_that_ignores_its_cancellation_is_replaced() -> None:
    main = """
        import asyncio, os
        async def handle(event):
            while event == "stay":
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    print("no", flush=True)
            return os.getpid()
    """
    with pod(main) as running:
        old = int(running.call("go").body)
        assert not in_time(running.call("stay", {"Faas-Timeout-Ms": "200"}))
        eventually(lambda: not is_running(old), "the old process is gone")
        assert int(running.call("go").body) != old


def test_the_functions_own_timeout_is_the_upper_bound() -> None:
    with pod(ASYNC, FAAS_TIMEOUT_MS="300") as running:
        answer = running.call({"sleep": 60}, {"Faas-Timeout-Ms": "9999999"})
        assert json.loads(answer.body)["message"] == "the handler did not finish within 300 ms"


def test_blocking_handlers_block_neither_each_other_nor_healthz() -> None:
    with pod(BLOCKING, FAAS_CONCURRENCY="4", FAAS_TIMEOUT_MS="15000") as running, ThreadPoolExecutor(3) as clients:
        slow = [clients.submit(running.call, {"gate": True, "sleep": 0}) for _ in range(3)]
        eventually(lambda: running.log.count("start") == 3, "three calls run")
        assert in_time(running.call({"sleep": 0}))
        assert running.call(method="GET", path="/healthz").status == 200
        running.open_gate()
        assert all(in_time(call.result()) for call in slow)


@pytest.mark.parametrize(
    "main",
    [
        # one C call that never gives the GIL back
        "import os, re\ndef handle(event):\n    event and re.match('(a+)+$', 'a' * 60 + 'b')\n    return os.getpid()",
        # a loop that its own coroutine blocks
        "import os, time\nasync def handle(event):\n    event and time.sleep(600)\n    return os.getpid()",
    ],
    ids=["def", "async"],
)
def test_a_process_that_cannot_answer_is_killed_and_replaced(main: str) -> None:
    with pod(main, FAAS_TIMEOUT_MS="1000") as running:
        old = int(running.call(0).body)
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            running.call(1)
        assert 1.9 < time.monotonic() - begun < 30  # its timeout and one second, and what the parent's tick adds
        assert int(running.call(0).body) != old
        assert f"worker {old} holds its process past its calls' timeout; it is killed" in running.log


def test_a_pod_that_was_stopped_as_a_whole_is_not_taken_for_stuck() -> None:
    with pod(BLOCKING, FAAS_TIMEOUT_MS="2000") as running:
        worker = running.workers[0]
        for pid in (running.process.pid, worker):
            os.kill(pid, signal.SIGSTOP)
        time.sleep(4)  # longer than timeout and grace: the time itself is what is tested
        for pid in (running.process.pid, worker):
            os.kill(pid, signal.SIGCONT)
        for _ in range(5):
            assert int(running.call({"sleep": 0}).body) == worker
            time.sleep(0.2)  # over several looks of the parent


def test_a_client_that_leaves_does_not_stop_its_call() -> None:
    with pod(ASYNC) as running:
        with running.connect() as leaving:
            leaving.sendall(b'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"sleep":0.4}')
            eventually(lambda: "start" in running.log, "the call has started")
        eventually(lambda: "end" in running.log, "the call has ended")
        assert in_time(running.call({"sleep": 0}))


def test_timeouts_under_load_answer_every_call() -> None:
    """Some calls outrun again and again: nobody waits beyond the deadline, and nothing is reset."""
    outcomes: list[int] = []
    lock = threading.Lock()

    def client(number: int) -> None:
        for turn in range(6):
            late = (number + turn) % 5 == 0
            while True:
                answer = running.call({"sleep": 60 if late else 0.02}, {"Faas-Timeout-Ms": "150" if late else "20000"})
                if answer.status != 503:  # draining: certain that nothing was started
                    break
            assert in_time(answer) is not late
            with lock:
                outcomes.append(answer.status)

    with pod(BLOCKING, FAAS_CONCURRENCY="20", FAAS_TIMEOUT_MS="20000") as running, ThreadPoolExecutor(8) as clients:
        for job in [clients.submit(client, number) for number in range(8)]:
            job.result()
        assert len(outcomes) == 48
        eventually(lambda: len(running.workers) == 1, "only the newest process is left")
