"""The order in which a Pod's states reach the API server."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from cli.local.kubelet.reporter import StatusReporter
from services.common.kube import KubeClient
from tests.support.canned import Asked, Say, canned_server

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{{name: canned, cluster: {{server: "{url}"}}}}]
users: [{{name: canned, user: {{}}}}]
contexts: [{{name: canned, context: {{cluster: canned, user: canned}}}}]
current-context: canned
"""
A_SECOND_ONE_WOULD_HAVE_COME = 0.5


class SlowServer:
    """Takes the first status only after the second, if there is one while the first is on its way."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.first, self.second = threading.Event(), threading.Event()

    def answer(self, asked: Asked) -> Say:
        if not self.first.is_set():
            self.first.set()
            self.second.wait(A_SECOND_ONE_WOULD_HAVE_COME)
            self.taken.append(json.loads(asked.body)["status"]["state"])
        else:
            self.taken.append(json.loads(asked.body)["status"]["state"])
            self.second.set()
        return Say(body=b"{}", headers={"Content-Type": "application/json"})


@contextlib.asynccontextmanager
async def reporting(url: str, directory: Path, status: dict[str, Any]) -> AsyncIterator[StatusReporter]:
    kubeconfig = directory / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG.format(url=url))
    async with KubeClient(str(kubeconfig)) as client:
        path = "/api/v1/namespaces/default/pods/one"
        yield StatusReporter(client, path, "uid-1", lambda: dict(status), dict, lambda: None)


async def report_twice(server: SlowServer, url: str, directory: Path) -> None:
    """As a kubelet that is being stopped does: `terminated` while `running` is still being reported."""
    status: dict[str, Any] = {"state": "running", "conditions": []}
    async with reporting(url, directory, status) as reporter:
        running = asyncio.create_task(reporter.run())
        reporter.changed()
        assert await asyncio.to_thread(server.first.wait, 10)
        status["state"] = "terminated"
        await reporter.report_last()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


def test_an_older_state_never_arrives_after_a_newer_one(tmp_path: Path) -> None:
    server = SlowServer()
    with canned_server(server.answer) as canned:
        asyncio.run(report_twice(server, canned.url, tmp_path))
    assert server.taken == ["running", "terminated"]


def test_the_last_state_is_told_again_when_the_connection_breaks(tmp_path: Path) -> None:
    taken: list[str] = []

    def answer(asked: Asked) -> Say:
        taken.append(json.loads(asked.body)["status"]["state"])
        return Say(pieces=(), cut=True) if len(taken) == 1 else Say(body=b"{}")

    async def report(url: str) -> None:
        async with reporting(url, tmp_path, {"state": "terminated", "conditions": []}) as reporter:
            await reporter.report_last()

    with canned_server(answer) as canned:
        asyncio.run(report(canned.url))
    assert taken == ["terminated", "terminated"]
