"""The install Job's program against a real API server: twice, by two at once, with wrong settings."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.credentials import Installation, names
from deploy.install import install
from services.common.kube import KubeClient
from tests.support.apiserver import ApiServer, running_apiserver

WANTED = Installation("default", 1, {"default": ["default"]})


@pytest.fixture(scope="module")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running_apiserver(tmp_path_factory.mktemp("api")) as server:
        yield server


def run(server: ApiServer, tmp_path: Path, tenants: str, **env: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "tenants.json"
    file.write_text(tenants)
    settings = {
        "FAAS_KUBECONFIG": str(server.kubeconfig), "FAAS_NAMESPACE": "default", "FAAS_TENANTS_FILE": str(file), **env,
    }  # fmt: skip
    command = [sys.executable, "-m", "deploy.install"]
    return subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_second_run_changes_nothing_and_a_tenant_is_added(apiserver: ApiServer, tmp_path: Path) -> None:
    first = run(apiserver, tmp_path, '{"default": ["default"]}')
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == [*(f"created {name}" for name in names(WANTED)), "installed"]
    assert run(apiserver, tmp_path, '{"default": ["default"]}').stdout == "installed\n"
    third = run(apiserver, tmp_path, '{"default": ["default"], "shop": ["cart"]}')
    assert third.stdout.splitlines() == ["created faas-caller-shop", "updated nats-config", "installed"]


def test_two_at_once_agree(apiserver: ApiServer) -> None:
    wanted = Installation("default", 1, {"twins": ["*"]})

    async def both() -> list[list[str]]:
        async with KubeClient(str(apiserver.kubeconfig)) as one, KubeClient(str(apiserver.kubeconfig)) as two:
            done = await asyncio.gather(install(one, wanted), install(two, wanted))
            assert await install(one, wanted) == []
            return list(done)

    lines = [line for one in asyncio.run(both()) for line in one]
    assert lines.count("created faas-caller-twins") == 1


@pytest.mark.parametrize(
    ("tenants", "env", "said"),
    [
        ('{"A": []}', {}, "tenants.json: the tenant 'A' is not valid"),
        ("{}", {"FAAS_NATS_SERVERS": "2"}, "FAAS_NATS_SERVERS='2': 1, 3 or 5"),
        ("{}", {"FAAS_NAMESPACE": ""}, "FAAS_NAMESPACE is not set"),
    ],
)
def test_wrong_settings_are_named(
    apiserver: ApiServer, tmp_path: Path, tenants: str, env: dict[str, str], said: str
) -> None:
    done = run(apiserver, tmp_path, tenants, **env)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
