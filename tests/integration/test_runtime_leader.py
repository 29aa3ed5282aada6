"""Pods whose `def` handler has shown that it is short, so that the thread that runs the loop runs it: it may still
block, fork, keep things by thread, and be drained, without anybody noticing."""

import contextlib
import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from faas_runtime.limits import SHORT_CALLS
from tests.support.patience import PATIENCE, eventually
from tests.support.runtime import Pod, is_running, pod

WARM = 3 * SHORT_CALLS

GATED = """
    import os, threading
    from testgate import gate
    def handle(event):
        if event.get("gate"):
            print("waits", flush=True)
            gate()
        return [os.getpid(), event.get("value")]
"""


@contextlib.contextmanager
def client(running: Pod) -> Iterator[Callable[[object], Any]]:
    """Calls over one kept-alive connection; each gives its result."""
    connection = http.client.HTTPConnection(*running.address, timeout=PATIENCE)

    def call(event: object) -> Any:
        connection.request("POST", "/", json.dumps(event).encode())
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return json.loads(body)

    with contextlib.closing(connection):
        yield call


def warm(running: Pod) -> None:
    """So many calls that the leader has run some."""
    with client(running) as call:
        for _ in range(WARM):
            call({})


def test_a_short_handler_that_blocks_holds_up_neither_neighbours_nor_healthz() -> None:
    with pod(GATED, FAAS_CONCURRENCY="4", FAAS_TIMEOUT_MS="60000") as running, ThreadPoolExecutor(3) as clients:
        warm(running)
        for number in range(1, 4):
            clients.submit(running.call, {"gate": True})
            eventually(lambda: running.log.count("waits") >= number, "the handler waits")  # noqa: B023 -- asked at once
            assert running.call({"value": 1}).status == 200
            assert running.call(method="GET", path="/healthz").status == 200
        running.open_gate()


def test_a_short_handler_that_blocks_is_answered_504_and_replaced() -> None:
    with pod(GATED) as running:
        warm(running)
        old = running.workers[0]
        late = running.call({"gate": True}, {"Faas-Timeout-Ms": "200"})
        assert (late.status, late.headers["faas-error"]) == (504, "handler_timeout")
        assert json.loads(running.call({}).body)[0] != old
        eventually(lambda: not is_running(old), "the old process is gone")


def test_a_drain_waits_for_a_blocked_handler() -> None:
    with pod(GATED, FAAS_TIMEOUT_MS="60000") as running, ThreadPoolExecutor(2) as clients:
        warm(running)
        blocked = clients.submit(running.call, {"gate": True, "value": "kept"})
        eventually(lambda: "waits" in running.log, "the handler waits")
        ended = clients.submit(running.stop)
        running.open_gate()
        assert json.loads(blocked.result().body)[1] == "kept"
        assert ended.result() == 0


def test_every_caller_gets_its_own_answer_while_threads_and_leader_take_turns() -> None:
    main = """
        import time
        def handle(event):
            time.sleep(event["sleep"])
            return [event["value"]]
    """

    def ask(running: Pod, number: int) -> None:
        with client(running) as call:
            for turn in range(600):
                value = f"{number}-{turn}"
                sleep = 0.004 if turn % 151 == 150 else 0.0003 if turn % 73 == 72 else 0
                assert call({"sleep": sleep, "value": value}) == [value]

    with pod(main, FAAS_CONCURRENCY="8") as running, ThreadPoolExecutor(8) as clients:
        for done in [clients.submit(ask, running, number) for number in range(8)]:
            done.result()


def test_a_process_forked_by_a_handler_does_not_serve() -> None:
    main = """
        import os
        def handle(event):
            return [os.getpid(), os.fork() if event.get("fork") else None]
    """
    with pod(main) as running, client(running) as call:
        worker = running.workers[0]
        children: list[int] = []
        try:
            for _ in range(3):
                pid, child = call({"fork": True})
                children.append(child)
                assert pid == worker
                for _ in range(WARM):
                    assert call({}) == [worker, None]
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


def test_what_a_handler_keeps_by_thread_stays_usable() -> None:
    main = """
        import sqlite3, threading
        kept = threading.local()
        made = []
        def handle(event):
            if not hasattr(kept, "database"):
                kept.database = sqlite3.connect(":memory:")  # refuses every other thread
                made.append(threading.get_ident())
            return [kept.database.execute("select 1").fetchone()[0], len(made)]
    """
    with pod(main, FAAS_CONCURRENCY="4") as running, contextlib.ExitStack() as stack:
        calls = [stack.enter_context(client(running)) for _ in range(4)]
        pool = stack.enter_context(ThreadPoolExecutor(4))
        for _ in range(WARM):
            for one, made in pool.map(lambda call: call({}), calls):
                assert one == 1
                assert made <= 5


def test_signal_handlers_of_the_function_run_while_its_calls_do() -> None:
    main = """
        import os, signal, threading
        heard = threading.Event()
        signal.signal(signal.SIGUSR1, lambda *_: heard.set())
        def handle(event):
            if event.get("signal"):
                heard.clear()
                os.kill(os.getpid(), signal.SIGUSR1)
                return heard.wait(4)
            return threading.current_thread() is threading.main_thread()
    """
    with pod(main) as running:
        assert json.loads(running.call({"signal": True}).body) is True
        warm(running)
        assert json.loads(running.call({"signal": True}).body) is True
        assert json.loads(running.call({}).body) is False


def test_a_handler_that_fails_after_its_stderr_was_closed_is_answered() -> None:
    main = """
        import sys
        def handle(event):
            if event.get("fail"):
                sys.stderr.close()
                raise RuntimeError("no log for it")
    """
    with pod(main) as running:
        warm(running)
        worker = running.workers
        for _ in range(2):
            answer = running.call({"fail": True})
            assert json.loads(answer.body)["message"] == "RuntimeError: no log for it"
        assert running.workers == worker


def test_the_warm_pod_has_few_threads() -> None:
    main = """
        import threading
        def handle(event):
            return threading.active_count()
    """
    with pod(main) as running:
        warm(running)
        assert json.loads(running.call({}).body) <= 3  # the watch, the leader, and one that ran the first calls
