"""The end of a Pod: nothing that was let in is lost, nothing new is let in, and nobody is left without an answer."""

import contextlib
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

import pytest

from tests.support.patience import PATIENCE, eventually
from tests.support.runtime import Pod, is_running, pod

SLEEP = """
    import os, time
    from testgate import gate
    def handle(event):
        print("start", flush=True)
        gate() if event == "gate" else time.sleep(event)
        print("end", flush=True)
        return os.getpid()
"""


def test_running_calls_finish_and_new_ones_are_refused() -> None:
    with pod(SLEEP, FAAS_TIMEOUT_MS="15000") as running, ThreadPoolExecutor(1) as clients, running.connect() as kept:
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in kept.recv(1000)
        slow = clients.submit(running.call, "gate")
        eventually(lambda: "start" in running.log, "the call has started")
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: running.call(method="GET", path="/healthz").status == 503, "the Pod is no longer ready")
        kept.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n0")
        for refused in (
            kept.recv(1000),
            _exchange(running, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n0"),
        ):
            assert refused.startswith(b"HTTP/1.1 503 ")
            assert b"Faas-Error: draining\r\n" in refused
            assert b"Connection: close\r\n" in refused
        assert kept.recv(1000) == b""
        running.open_gate()
        assert slow.result().status == 200
        assert slow.result().headers["connection"] == "close"
        assert running.process.wait(PATIENCE) == 0
        assert running.log.count("start") == 1


def test_an_idle_pod_ends_at_once_and_tells_idle_connections() -> None:
    with pod(SLEEP) as running, running.connect() as kept:
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in kept.recv(1000)
        running.process.send_signal(signal.SIGTERM)
        # Told without having asked: a request that crosses with it has this for its answer.
        assert kept.recv(1000).startswith(b"HTTP/1.1 503 ")
        assert kept.recv(1000) == b""
        kept.close()
        assert running.process.wait(PATIENCE) == 0


def test_a_stuck_handler_does_not_hold_the_end_up_for_long() -> None:
    with pod(SLEEP, FAAS_TIMEOUT_MS="500") as running, ThreadPoolExecutor(1) as clients:
        stuck = clients.submit(running.call, 600)
        eventually(lambda: "start" in running.log, "the call has started")
        assert running.stop() == 0
        assert stuck.result().headers["faas-error"] == "handler_timeout"


def test_the_end_while_starting() -> None:
    with pod("import time\nprint('importing', flush=True)\ntime.sleep(600)", ready=False) as running:
        eventually(lambda: "importing" in running.log, "the import runs")
        assert running.stop() == 0


def test_what_the_function_registered_for_its_end_runs() -> None:
    main = """
        import atexit
        atexit.register(print, "goodbye")
        def handle(event):
            return event
    """
    with pod(main) as running:
        assert running.stop(signal.SIGINT) == 0
        assert "goodbye" in running.log


def test_a_killed_parent_takes_its_worker_along() -> None:
    with pod(SLEEP) as running:
        worker = running.workers[0]
        running.process.kill()
        running.process.wait()
        eventually(lambda: not is_running(worker), "the worker is gone")


@pytest.mark.parametrize("seconds", [0.0, 0.02])
def test_drain_under_load_loses_no_call(seconds: float) -> None:
    """Clients on kept-alive connections, without a pause, through the whole end of a Pod."""
    started = threading.Barrier(9)
    with pod(SLEEP, FAAS_CONCURRENCY="100") as running:
        with ThreadPoolExecutor(8) as clients:
            jobs = [clients.submit(_call_until_refused, running, seconds, started) for _ in range(8)]
            started.wait()
            eventually(lambda: running.log.count("end") > 50, "every client is at work")
            assert running.stop() == 0
            answered = sum(job.result() for job in jobs)
        assert answered == running.log.count("start") == running.log.count("end")
        assert answered > 50


def _call_until_refused(running: Pod, seconds: float, started: threading.Barrier) -> int:
    """How many calls were answered, until it was certain that one had not been started."""
    body = str(seconds).encode()
    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    answered = 0
    started.wait()
    while True:
        try:
            connection = running.connect()
        except ConnectionRefusedError:
            return answered
        with connection, connection.makefile("rb") as answers:
            while True:
                with contextlib.suppress(OSError):  # the other end has said why already: read it
                    connection.sendall(request)
                head = _read_answer(cast(BinaryIO, answers))
                if head.startswith(b"HTTP/1.1 503 "):
                    assert b"Faas-Error: draining" in head
                    return answered
                assert head.startswith(b"HTTP/1.1 200 "), head
                answered += 1
                if b"Connection: close" in head:
                    break


def _read_answer(answers: BinaryIO) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = answers.readline()
        assert line, f"the connection ended without an answer: {head!r}"
        head += line
    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert len(answers.read(length)) == length
    return head


def _exchange(running: Pod, request: bytes) -> bytes:
    with running.connect() as connection:
        connection.sendall(request)
        return connection.recv(1000)


@pytest.mark.parametrize(("kind", "wait"), [("def", "gate()"), ("async def", "await async_gate()")])
def test_concurrency_is_exact_under_a_barrage(kind: str, wait: str) -> None:
    """Of 40 calls at once 7 run, 33 are refused at once and were not started; then there is room again."""
    main = f"""
        from testgate import async_gate, gate
        {kind} handle(event):
            print("start", flush=True)
            {wait}
            return event
    """
    with pod(main, FAAS_CONCURRENCY="7", FAAS_TIMEOUT_MS="15000") as running, ThreadPoolExecutor(40) as clients:
        calls = [clients.submit(running.call, 1) for _ in range(40)]
        eventually(lambda: sum(call.done() for call in calls) == 33, "33 calls are refused while 7 run")
        assert all(call.result().headers["faas-error"] == "busy" for call in calls if call.done())
        assert running.log.count("start") == 7
        running.open_gate()
        statuses = [call.result().status for call in calls]
        assert (statuses.count(200), statuses.count(503)) == (7, 33)
        assert running.log.count("start") == 7
        assert [running.call(1).status for _ in range(10)] == [200] * 10
