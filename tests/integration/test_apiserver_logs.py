"""`pods/log` through the API server: mutual TLS to the kubelet's endpoint, streaming, and clear refusals."""

import contextlib
import http.client
import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from cli.local import pki
from tests.support.apiclient import ApiClient, pod
from tests.support.apiserver import ApiServer, running_apiserver

PODS = "/api/v1/namespaces/default/pods"


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Answers as a kubelet's /containerLogs does; `follow` streams line by line as the test allows."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []
    next_line = threading.Semaphore(0)

    def do_GET(self) -> None:
        Endpoint.asked.append(self.path)
        if "missing" in self.path:
            body = b'container "main" in pod "missing" is waiting to start'
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(3):
            if "follow=true" in self.path:
                Endpoint.next_line.acquire(timeout=40)
            line = f"line {number}\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: pytest shows what matters."""


@contextlib.contextmanager
def kubelet_endpoint(server: ApiServer, directory: Path) -> Iterator[int]:
    """A TLS endpoint that lets in only who shows a certificate of the platform's CA; yields its port."""
    serving = pki.issue_server_certificate(server.authority, "kubelet", ["127.0.0.1"])
    pki.write_key_pair(serving, directory / "kubelet.crt", directory / "kubelet.key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "kubelet.crt", directory / "kubelet.key")
    context.load_verify_locations(server.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as endpoint:
        endpoint.socket = context.wrap_socket(endpoint.socket, server_side=True)
        endpoint.daemon_threads = True
        thread = threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield int(endpoint.server_address[1])
        endpoint.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    directory = tmp_path_factory.mktemp("apiserver")
    with running_apiserver(directory) as server, kubelet_endpoint(server, directory) as port, ApiClient(server) as api:
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        api.create("/api/v1/nodes", {"metadata": {"name": "node"}, "status": status})
        api.create(PODS, pod("talks", nodeName="node"))
        api.create(PODS, pod("missing", nodeName="node"))
        two = [{"name": name, "image": "localhost/x:1"} for name in ("one", "two")]
        api.create(PODS, pod("pair", nodeName="node", containers=two))
        yield server


@pytest.fixture
def api(server: ApiServer) -> Iterator[ApiClient]:
    with ApiClient(server) as client:
        yield client


def test_logs_come_from_the_kubelet(api: ApiClient) -> None:
    answer = api.get(f"{PODS}/talks/log", tailLines=5, timestamps="true", unknown="x")
    assert (answer.status, answer.body) == (200, b"line 0\nline 1\nline 2\n")
    assert answer.headers["content-type"] == "text/plain"
    assert Endpoint.asked[-1] == "/containerLogs/default/talks/main?tailLines=5&timestamps=true"


def test_followed_logs_arrive_as_they_are_written(server: ApiServer) -> None:
    connection = http.client.HTTPSConnection(server.host, server.port, context=server.ssl_context(), timeout=40)
    connection.request("GET", f"{PODS}/talks/log?follow=true", headers={"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    for number in range(3):
        Endpoint.next_line.release()
        assert answer.readline() == f"line {number}\n".encode()
    assert answer.read() == b""
    connection.close()


def test_shutdown_cuts_followed_logs(tmp_path: Path) -> None:
    with running_apiserver(tmp_path) as server, kubelet_endpoint(server, tmp_path) as port, ApiClient(server) as api:
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        }
        api.create("/api/v1/nodes", {"metadata": {"name": "node"}, "status": status})
        api.create(PODS, pod("talks", nodeName="node"))
        connection = http.client.HTTPSConnection(server.host, server.port, context=server.ssl_context(), timeout=40)
        connection.request("GET", f"{PODS}/talks/log?follow=true", headers={"Authorization": f"Bearer {server.token}"})
        assert connection.getresponse().status == 200
        assert server.stop() == 0
        connection.close()
        for _ in range(3):
            Endpoint.next_line.release()


def test_what_cannot_be_shown_is_said(api: ApiClient) -> None:
    waiting = api.get(f"{PODS}/missing/log")
    assert (waiting.status, waiting.obj["reason"]) == (400, "BadRequest")
    assert waiting.message == 'container "main" in pod "missing" is waiting to start'
    assert api.get(f"{PODS}/none/log").message == 'pods "none" not found'
    assert api.get(f"{PODS}/pair/log").message == (
        "a container name must be specified for pod pair, choose one of: [one two]"
    )
    assert api.get(f"{PODS}/pair/log", container="two").status == 200
    assert api.get(f"{PODS}/pair/log", container="three").message == "container three is not valid for pod pair"
    api.create("/api/v1/nodes", {"metadata": {"name": "silent"}})
    api.create(PODS, pod("lost", nodeName="silent"))
    assert "has not told the address of its kubelet" in api.get(f"{PODS}/lost/log").message
    api.create(PODS, pod("nowhere"))
    assert api.get(f"{PODS}/nowhere/log").message == "pod nowhere does not have a host assigned"
    gone = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 1}},
    }
    api.patch("/api/v1/nodes/silent/status", {"status": gone})
    assert "the kubelet at 127.0.0.1:1 does not answer" in api.get(f"{PODS}/lost/log").message


def test_the_endpoint_lets_nobody_in_without_a_certificate(server: ApiServer, api: ApiClient) -> None:
    node = api.get("/api/v1/nodes/node").obj
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=server.ssl_context(), timeout=40)

    def ask() -> None:
        connection.request("GET", "/containerLogs/default/talks/main")
        connection.getresponse()

    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        ask()
    connection.close()
