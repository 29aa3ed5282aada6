"""A real kubelet process (and the Pods that tests give it), beside a real API server."""

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from cli.local import pki
from tests.support.api import Api
from tests.support.apiserver import ApiServer
from tests.support.patience import PATIENCE

PODS = "/api/v1/namespaces/default/pods"


class Kubelet(msgspec.Struct):
    """One kubelet of node `node-1`; its certificates are signed by the API server's CA."""

    server: ApiServer
    directory: Path
    extra_args: tuple[str, ...] = ()
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log_file(self) -> Path:
        return self.directory.with_name("kubelet.log")

    def start(self) -> None:
        """Start the process; it registers its node by itself."""
        self.directory.mkdir(parents=True, exist_ok=True)
        certificate, key = self.directory.with_name("kubelet.crt"), self.directory.with_name("kubelet.key")
        pki.write_key_pair(
            pki.issue_server_certificate(self.server.authority, "node-1", ["127.0.0.1"]), certificate, key
        )
        command = [sys.executable, "-m", "cli.local.kubelet", "--kubeconfig", str(self.server.kubeconfig)]
        command += ["--node-name", "node-1", "--dir", str(self.directory), "--tls-cert", str(certificate)]
        command += ["--tls-key", str(key), "--client-ca", str(self.server.ca_file), *self.extra_args]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self, timeout: float = PATIENCE) -> int:
        """SIGTERM: it stops its Pods; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)


@contextlib.contextmanager
def running_kubelet(server: ApiServer, directory: Path, *extra_args: str) -> Iterator[Kubelet]:
    """Yield a started kubelet; on leaving it and its Pods are stopped."""
    kubelet = Kubelet(server, directory, extra_args)
    kubelet.start()
    try:
        yield kubelet
    finally:
        if kubelet.process is not None and kubelet.process.poll() is None:
            try:
                kubelet.stop()
            except subprocess.TimeoutExpired:
                kubelet.kill()
        kill_leftovers(directory)


def processes_of(directory: Path) -> list[int]:
    """Living processes of Pods whose home is under a kubelet's directory (by the HOME they were started with)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if f"{directory}/pods/".encode() in (entry / "environ").read_bytes():
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                found += [int(entry.name)] if state not in "ZX" else []
    return found


def kill_leftovers(directory: Path) -> None:
    """Processes that a killed kubelet left, so that a failing test leaves nothing behind."""
    for pid in processes_of(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def process_pod(name: str, script: str, **spec: Any) -> dict[str, Any]:
    """A Pod that runs a Python script as a process; `container` in `spec` adds fields to its container."""
    container = {
        "name": "main",
        "image": "localhost/faas-process:1",
        "command": [sys.executable, "-S", "-u", "-c", script],
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "containers": [container],
            "terminationGracePeriodSeconds": 5,
            "automountServiceAccountToken": False,
            **spec,
        },
    }


def status_of(api: Api, name: str) -> dict[str, Any]:
    """The status of a Pod; empty before it has one."""
    return dict(api.get(f"{PODS}/{name}").get("status", {}))


def container_of(api: Api, name: str) -> dict[str, Any]:
    """The status of its first container; empty before it has one."""
    return dict(next(iter(status_of(api, name).get("containerStatuses", [])), {}))


def is_ready(api: Api, name: str) -> bool:
    """Whether its condition Ready holds."""
    conditions = {one["type"]: one["status"] for one in status_of(api, name).get("conditions", [])}
    return conditions.get("Ready") == "True"


def reasons(api: Api, name: str) -> set[str]:
    """The reasons of the events about it."""
    events = api.items("/api/v1/namespaces/default/events")
    return {event["reason"] for event in events if event["involvedObject"]["name"] == name}


def fetch(api: Api, kubelet: Kubelet, path: str, client: pki.KeyPair | None, tmp_path: Path) -> str:
    """What the kubelet's HTTPS endpoint answers to a client with this certificate."""
    node = api.get("/api/v1/nodes/node-1")
    port = node["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"]
    context = kubelet.server.ssl_context()
    if client is not None:
        pki.write_key_pair(client, tmp_path / "client.crt", tmp_path / "client.key")
        context.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
    with urllib.request.urlopen(f"https://127.0.0.1:{port}{path}", context=context, timeout=10) as answer:
        return str(answer.read().decode())


def logs(api: Api, kubelet: Kubelet, tmp_path: Path, name: str, query: str = "") -> str:
    """What the kubelet's endpoint tells of its log."""
    client = pki.issue_client_certificate(kubelet.server.authority, "api-server")
    return fetch(api, kubelet, f"/containerLogs/default/{name}/main{query}", client, tmp_path)
