"""The gateway when its surroundings fail: no router, no bus, a stopped one, its own end; start-up in any order."""

import http.client
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.bus import Bus, running_bus
from tests.support.gateway import Gateway, error_of, ok, running_gateway, running_routers, start_gateway
from tests.support.patience import PATIENCE, eventually

LAME_DUCK = 3
"""Seconds; enough for a busy machine to see the gateway neither ready nor closed."""
NOT_AT_ONCE = 20.0
"""Seconds: a call without a deadline that nothing ends would go on for longer."""


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with running_bus(tmp_path) as bus:
        yield bus


@pytest.fixture
def gateway(tmp_path: Path, bus: Bus) -> Iterator[Gateway]:
    with running_gateway(tmp_path, bus) as gateway:
        yield gateway


def test_without_a_router_a_call_is_refused_at_once(gateway: Gateway) -> None:
    began = time.monotonic()
    answer = gateway.request("POST", "/default/add", b"{}")
    assert (*error_of(answer), answer.headers["retry-after"]) == (503, "no_router", "1")
    assert error_of(gateway.request("GET", "/default/add"))[1] == "no_router"
    assert time.monotonic() - began < NOT_AT_ONCE


def test_without_the_bus_calls_are_refused_at_once_and_with_it_they_work_again(bus: Bus, gateway: Gateway) -> None:
    with running_routers(bus):
        assert gateway.request("POST", "/default/add", b"{}").status == 200
        bus.kill()
        eventually(lambda: gateway.request("GET", "/readyz").status == 503)
        began = time.monotonic()
        answer = gateway.request("POST", "/default/add", b"{}")
        assert error_of(answer) == (503, "bus_unavailable")
        assert time.monotonic() - began < NOT_AT_ONCE
        assert gateway.request("GET", "/healthz").status == 200
        bus.restart()
        eventually(lambda: gateway.request("POST", "/default/add", b"{}").status == 200)


def test_calls_whose_bus_breaks_off_end(bus: Bus, gateway: Gateway) -> None:
    with running_routers(bus) as routers, ThreadPoolExecutor() as pool:
        routers.answers["default/slow"] = lambda _: None
        answer = pool.submit(gateway.request, "POST", "/default/slow", b"{}")
        eventually(lambda: len(routers.held) == 1)
        bus.kill()
        assert error_of(answer.result(PATIENCE)) == (502, "router_lost")


def test_a_stopped_bus_leaves_nothing_hanging(bus: Bus, gateway: Gateway) -> None:
    with running_routers(bus):
        bus.pause()
        began = time.monotonic()
        answer = gateway.request("POST", "/default/add", b"{}")
        assert error_of(answer)[1] in ("router_lost", "bus_unavailable")
        assert time.monotonic() - began < NOT_AT_ONCE
        bus.resume()
        eventually(lambda: gateway.request("POST", "/default/add", b"{}").status == 200)


def test_signs_of_life_keep_a_long_call(bus: Bus, gateway: Gateway) -> None:
    with running_routers(bus) as routers, ThreadPoolExecutor() as pool:
        routers.answers["default/long"] = lambda _: None
        answers = [pool.submit(gateway.request, "POST", "/default/long", b"{}") for _ in range(2)]
        eventually(lambda: len(routers.held) == 2)
        dead = routers.held.pop()
        began = time.monotonic()
        while time.monotonic() - began < 4:
            routers.alive()
            time.sleep(0.5)  # as routers do, at an interval
        routers.release(ok())
        assert sorted(answer.result(PATIENCE).status for answer in answers) == [200, 502]
        routers.publish(dead.reply, b"late", {"Faas-Status": "200"})
        assert gateway.request("POST", "/default/add", b"{}").status == 200


def test_a_gateway_that_was_stopped_itself_loses_no_call(bus: Bus, gateway: Gateway) -> None:
    with running_routers(bus) as routers, ThreadPoolExecutor() as pool:
        routers.answers["default/long"] = lambda _: None
        answer = pool.submit(gateway.request, "POST", "/default/long", b"{}")
        eventually(lambda: len(routers.held) == 1)
        gateway.process.send_signal(19)
        time.sleep(3.5)  # longer than the silence that would have meant a lost router
        gateway.process.send_signal(18)
        routers.alive()
        time.sleep(0.5)  # two sweeps, which must not end the call
        routers.release(ok())
        assert answer.result(PATIENCE).status == 200


def test_it_starts_before_the_bus_and_joins_it(tmp_path: Path, bus: Bus) -> None:
    bus.kill()
    gateway = start_gateway(tmp_path, bus)
    try:
        assert gateway.request("GET", "/healthz").status == 200
        assert b"no connection to NATS" in gateway.request("GET", "/readyz").body
        assert error_of(gateway.request("POST", "/default/add", b"{}"))[1] == "bus_unavailable"
        bus.restart()
        eventually(gateway.ready)
    finally:
        assert gateway.stop() == 0


def test_without_the_bus_it_stops_all_the_same(tmp_path: Path, bus: Bus) -> None:
    bus.kill()
    assert start_gateway(tmp_path, bus).stop() == 0


def test_on_sigterm_open_calls_end_well(bus: Bus, tmp_path: Path) -> None:
    with running_gateway(tmp_path, bus, lame_duck_seconds=str(LAME_DUCK)) as gateway, running_routers(bus) as routers:
        routers.answers["default/slow"] = lambda _: None
        with ThreadPoolExecutor() as pool:
            open_call = pool.submit(gateway.request, "POST", "/default/slow", b"{}")
            events = socket.create_connection(("127.0.0.1", gateway.port), 5)
            address = b"/api/v1/namespaces/default/events"
            events.sendall(b"GET %b HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % (address, gateway.port))
            eventually(lambda: len(routers.held) == 1)
            gateway.process.terminate()
            eventually(lambda: gateway.request("GET", "/readyz").status == 503, LAME_DUCK)
            routers.alive()
            late = gateway.request("POST", "/default/add", b"{}")
            assert (late.status, late.headers["connection"]) == (200, "close")

            def closed() -> bool:
                routers.alive()  # of the open call
                return not _listens(gateway)

            eventually(closed)
            assert gateway.process.poll() is None
            routers.alive()
            routers.release(ok(b"done"))
            assert (open_call.result(PATIENCE).status, open_call.result().body) == (200, b"done")
        with events:
            received = b""
            while chunk := events.recv(4096):
                received += chunk
            assert received.endswith(b"0\r\n\r\n")  # a stream is ended, not cut off
        assert gateway.process.wait(PATIENCE) == 0


def test_what_will_not_end_is_ended_after_the_drain(bus: Bus, tmp_path: Path) -> None:
    with running_gateway(tmp_path, bus, drain_seconds="1") as gateway, running_routers(bus) as routers:
        routers.answers["default/endless"] = lambda _: None
        with ThreadPoolExecutor() as pool:
            open_call = pool.submit(gateway.request, "POST", "/default/endless", b"{}")
            eventually(lambda: len(routers.held) == 1)
            assert gateway.stop() == 0
            assert error_of(open_call.result(PATIENCE)) == (502, "router_lost")


def _listens(gateway: Gateway) -> bool:
    try:
        socket.create_connection(("127.0.0.1", gateway.port), 1).close()
    except OSError:
        return False
    return True


class Balancer:
    """What a balancer does: it asks each gateway for its readiness and sends requests to those that are, over
    connections that it keeps. It repeats what could not be sent at all, and nothing else."""

    def __init__(self, ports: list[int]) -> None:
        self.ready = set(ports)
        self.ports = ports
        self.results: Counter[int | str] = Counter()
        self._stop = threading.Event()

    def watch(self) -> None:
        while not self._stop.wait(0.05):
            self.ready = {port for port in list(self.ports) if self._is_ready(port)}

    def _is_ready(self, port: int) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def send(self) -> None:
        kept: dict[int, http.client.HTTPConnection] = {}
        while not self._stop.is_set():
            for port in sorted(self.ready):
                self._send_one(kept.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=10)))
        for connection in kept.values():
            connection.close()

    def _send_one(self, connection: http.client.HTTPConnection) -> None:
        try:
            if connection.sock is None:
                connection.connect()
        except OSError:
            return
        try:
            connection.request("POST", "/default/add", b"{}", {"Host": f"localhost:{connection.port}"})
            response = connection.getresponse()
            response.read()
            self.results[response.status] += 1
        except (OSError, http.client.HTTPException) as error:
            self.results[repr(error)] += 1
            connection.close()

    def stop(self) -> None:
        self._stop.set()


def test_a_rolling_restart_behind_a_balancer_loses_nothing(bus: Bus, tmp_path: Path) -> None:
    gateways = [start_gateway(tmp_path, bus, lame_duck_seconds="0.5") for _ in range(2)]
    with running_routers(bus), ThreadPoolExecutor() as pool:
        for gateway in gateways:
            eventually(gateway.ready)
        balancer = Balancer([gateway.port for gateway in gateways])
        work = [pool.submit(balancer.watch), *(pool.submit(balancer.send) for _ in range(4))]
        try:
            for index in range(2):
                before = balancer.results[200]
                eventually(lambda before=before: balancer.results[200] > before + 100)  # type: ignore[misc]
                assert gateways[index].stop(10) == 0
                gateways[index] = start_gateway(tmp_path, bus, lame_duck_seconds="0.5")
                balancer.ports[index] = gateways[index].port
                eventually(lambda index=index: gateways[index].port in balancer.ready)  # type: ignore[misc]
        finally:
            balancer.stop()
            for task in work:
                task.result(20)
            for gateway in gateways:
                gateway.process.kill()
                gateway.process.wait()
    assert set(balancer.results) == {200}
    assert balancer.results[200] > 200


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"http_port": "x"}, "FAAS_HTTP_PORT"),
        ({"max_calls": "0"}, "FAAS_MAX_CALLS"),
        ({"tokens_file": "/nonexistent"}, "FAAS_TOKENS_FILE=./nonexistent.: No such file"),
        ({"http_host": "192.0.2.1"}, "cannot listen on 192.0.2.1:0"),
    ],
)
def test_bad_settings_are_named(bus: Bus, tmp_path: Path, settings: dict[str, str], said: str) -> None:
    with pytest.raises(AssertionError, match=said) as failure:
        start_gateway(tmp_path, bus, **settings)
    assert "Traceback" not in str(failure.value)


def test_calls_beyond_the_limit_are_overloaded(bus: Bus, tmp_path: Path) -> None:
    with running_gateway(tmp_path, bus, max_calls="1") as gateway, running_routers(bus) as routers:
        routers.answers["default/slow"] = lambda _: None
        with ThreadPoolExecutor() as pool:
            first = pool.submit(gateway.request, "POST", "/default/slow", b"{}")
            eventually(lambda: len(routers.held) == 1)
            second = gateway.request("POST", "/default/add", b"{}")
            assert (*error_of(second), second.headers["retry-after"]) == (503, "overloaded", "1")
            routers.release(ok())
            assert first.result(5).status == 200
        assert gateway.request("POST", "/default/add", b"{}").status == 200


def test_the_last_router_leaving_is_noticed_at_the_next_call(bus: Bus, gateway: Gateway) -> None:
    with running_routers(bus):
        assert gateway.request("POST", "/default/add", b"{}").status == 200
    assert error_of(gateway.request("POST", "/default/add", b"{}"))[1] == "no_router"
