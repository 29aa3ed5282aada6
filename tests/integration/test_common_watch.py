"""The watch cache against a real API server whose connection breaks and whose history ends."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from services.common.kube import KubeClient
from services.common.watch import Change, WatchCache
from tests.support.api import Api
from tests.support.apiclient import configmap
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.patience import PATIENCE, until
from tests.support.proxy import Proxy, running_proxy

MAPS = "/api/v1/namespaces/default/configmaps"


class Map(Struct):
    """What a cache keeps of a ConfigMap."""

    data: dict[str, str] = {}


Seen = list[tuple[str, str]]


def through(proxy: Proxy, server: ApiServer, directory: Path) -> str:
    """A kubeconfig whose server is behind the proxy."""
    kubeconfig = directory / "through-proxy"
    kubeconfig.write_text(server.kubeconfig.read_text().replace(f":{server.port}", f":{proxy.port}"))
    return str(kubeconfig)


async def watched(
    server: ApiServer, directory: Path, meanwhile: Callable[[], None], caught_up: str
) -> tuple[dict[str, Map], Seen]:
    """A cache's objects and changes after its connection was cut, ``meanwhile`` happened and it came back."""
    seen: Seen = []

    def on_change(change: Change[Map]) -> None:
        seen.append((change.type, change.key.removeprefix("default/")))

    async with (
        running_proxy((server.host, server.port)) as proxy,
        KubeClient(through(proxy, server, directory)) as client,
    ):
        cache = WatchCache(client, MAPS, Map, on_change=on_change)
        running = asyncio.create_task(cache.run())
        try:
            async with asyncio.timeout(PATIENCE):
                await cache.synced.wait()
            await proxy.stop()
            seen.clear()
            await asyncio.to_thread(meanwhile)
            await proxy.start()
            await until(lambda: f"default/{caught_up}" in cache.objects)
        finally:
            running.cancel()
            await asyncio.wait({running})
        return cache.objects, seen


@pytest.mark.parametrize(
    ("options", "gap"), [((), False), (("--history", "3"), True)], ids=["resumed", "history is over (410)"]
)
def test_after_a_break_the_differences_are_told_once_deletions_included(
    tmp_path: Path, options: tuple[str, ...], gap: bool
) -> None:
    with running_apiserver(tmp_path, extra_args=options) as server:
        api = Api(server)
        for name in ("deleted", "changed", "same"):
            api.create(MAPS, configmap(name, v="1"))

        def meanwhile() -> None:
            api.delete(f"{MAPS}/deleted")
            api.patch(f"{MAPS}/changed", {"data": {"v": "2"}})
            for number in range(8):
                api.create(MAPS, configmap(f"short-lived-{number}"))
                api.delete(f"{MAPS}/short-lived-{number}")
            api.create(MAPS, configmap("last", v="1"))

        objects, seen = asyncio.run(watched(server, tmp_path, meanwhile, "last"))
    assert {key: value.data.get("v") for key, value in objects.items() if "kube-root" not in key} == {
        "default/changed": "2", "default/same": "1", "default/last": "1",
    }  # fmt: skip
    lasting = [change for change in seen if not change[1].startswith("short-lived")]
    assert sorted(lasting) == [("ADDED", "last"), ("DELETED", "deleted"), ("MODIFIED", "changed")]
    # what came and went in between is only told by a history that still has it
    assert (len(seen) == len(lasting)) == gap


def test_a_server_that_is_away_is_asked_less_and_less_often(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "watch")

    async def scene(server: ApiServer) -> int:
        async with (
            running_proxy((server.host, server.port)) as proxy,
            KubeClient(through(proxy, server, tmp_path)) as client,
        ):
            cache = WatchCache(client, MAPS, Map)
            running = asyncio.create_task(cache.run())
            try:
                async with asyncio.timeout(PATIENCE):
                    await cache.synced.wait()
                await proxy.stop()
                await asyncio.sleep(2.0)  # the outage itself
                told = len([record for record in caplog.records if record.name == "watch"])
                await proxy.start()
                await asyncio.to_thread(Api(server).create, MAPS, configmap("after"))
                await until(lambda: "default/after" in cache.objects)
            finally:
                running.cancel()
                await asyncio.wait({running})
            return told

    with running_apiserver(tmp_path) as server:
        assert 2 <= asyncio.run(scene(server)) <= 7  # pauses of 0.05, 0.1, 0.2, 0.4, 0.8 and 1.6 s
