"""The watch cache against a real API server whose connection breaks and whose history ends."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

from services.common.kube import KubeClient
from services.common.watch import Change, WatchCache
from tests.support.api import Api
from tests.support.apiclient import configmap
from tests.support.apiserver import ApiServer, running_apiserver
from tests.support.proxy import running_proxy

MAPS = "/api/v1/namespaces/default/configmaps"


class Map(Struct):
    """What a cache keeps of a ConfigMap."""

    data: dict[str, str] = {}


Seen = list[tuple[str, str]]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # the cache has no event for "caught up"


async def watched(
    server: ApiServer, directory: Path, meanwhile: Callable[[], None], caught_up: str
) -> tuple[dict[str, Map], Seen]:
    """A cache's objects and changes after its connection was cut, ``meanwhile`` happened and it came back."""
    seen: Seen = []

    def on_change(change: Change[Map]) -> None:
        seen.append((change.type, change.key.removeprefix("default/")))

    async with running_proxy((server.host, server.port)) as proxy:
        kubeconfig = directory / "through-proxy"
        text = await asyncio.to_thread(server.kubeconfig.read_text)
        await asyncio.to_thread(kubeconfig.write_text, text.replace(f":{server.port}", f":{proxy.port}"))
        async with KubeClient(str(kubeconfig)) as client:
            cache = WatchCache(client, MAPS, Map, on_change=on_change)
            running = asyncio.create_task(cache.run())
            try:
                async with asyncio.timeout(15):
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


@pytest.mark.parametrize(("history", "gap"), [("2048", False), ("3", True)], ids=["resumed", "history is over (410)"])
def test_after_a_break_the_differences_are_told_once_deletions_included(
    tmp_path: Path, history: str, gap: bool
) -> None:
    with running_apiserver(tmp_path, extra_args=("--history", history)) as server:
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
