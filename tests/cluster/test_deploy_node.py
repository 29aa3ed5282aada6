"""The platform in containers, from `kubectl apply -k` on: deployed to, called through every door, and looked at."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.deployed import EXAMPLE_WITH_REQUIREMENTS, FAAS, ROOT, SYSTEM, Deployed, manifest, run
from tests.cluster.image import layer_blob
from tests.cluster.platform_images import DEBIAN_PYTHON, LIMIT, PLATFORM, nats_image, platform_image, python_image
from tests.cluster.test_cluster_node import wait_until
from tests.support.load import running_load

pytestmark = pytest.mark.timeout(600)  # the first test waits for the whole platform to come up
RESTRICTED = {
    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
}  # fmt: skip
CONFINED = """
import os

def handle(event):
    try:
        open("/here", "w")
        root = "writable"
    except OSError as error:
        root = error.strerror
    with open("/tmp/there", "w") as file:
        file.write("x")
    return {"uid": os.getuid(), "root": root, "token": os.path.exists("/var/run/secrets/kubernetes.io")}
"""
CALL_OVER_NATS = """
import asyncio, json, os
import nats

async def main():
    bus = await nats.connect(os.environ["url"])
    answers = []
    for subject in ("faas.invoke.default.add", "faas.invoke.kube-system.add"):
        try:
            answers.append((await bus.request(subject, b'{"x":20,"y":3}', timeout=20)).data.decode())
        except nats.errors.Error as error:
            answers.append(type(error).__name__)
    refused = asyncio.Event()
    async def on_error(error):
        if "permissions violation" in str(error).lower():
            refused.set()
    spy = await nats.connect(os.environ["url"], error_cb=on_error)
    await spy.subscribe("faas.sys.>")
    await asyncio.wait_for(refused.wait(), 40)
    print(json.dumps([*answers, "refused"]))

asyncio.run(main())
"""
SLOW = """
import time

def handle(event):
    time.sleep(0.2)
    return event["id"]
"""


@pytest.fixture(scope="module")
def add(platform: Deployed) -> str:
    """The function `add` of the examples, deployed from outside."""
    done = platform.faas("deploy", str(ROOT / "examples/add"), "--min", "1", check=True)
    assert "default/add is ready" in done.out + done.err
    return "add"


@pytest.mark.parametrize("image", [platform_image, python_image, nats_image])
def test_images_are_small(platform: Deployed, image: Callable[[], Any]) -> None:
    assert sum(layer_blob(layer).path.stat().st_size for layer in image().layers) < LIMIT


def test_every_part_is_confined(platform: Deployed) -> None:
    for pod in platform.api.expect("GET", f"/api/v1/namespaces/{SYSTEM}/pods")["items"]:
        spec, name = pod["spec"], pod["metadata"]["name"]
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert [each["securityContext"] for each in spec["containers"]] == [RESTRICTED], name


def test_called_by_command_and_by_kubectl(platform: Deployed, add: str) -> None:
    body = '{"x":3,"y":4}'
    assert platform.faas("execute", f"default/{add}", body).out == "execute function success, result: 7\n"
    kubectl = platform.node.kubectl()
    env = {
        "FAAS_GATEWAY": platform.gateway, "FAAS_TOKEN": platform.token, "PATH": f"{FAAS.parent}:{os.environ['PATH']}",
    }  # fmt: skip
    done = run([*kubectl[:2], "execute", f"default/{add}", body], None, 60, env)
    assert done.out == "execute function success, result: 7\n", done.err


def test_called_by_http_with_a_token_and_not_without(platform: Deployed, add: str) -> None:
    request = urllib.request.Request(f"{platform.gateway}/default/{add}", b'{"x":1,"y":1}')
    with pytest.raises(urllib.error.HTTPError, match="401") as caught:
        urllib.request.urlopen(request, timeout=40)
    assert json.load(caught.value)["code"] == "unauthorized"
    request.add_header("Authorization", f"Bearer {platform.token}")
    with urllib.request.urlopen(request, timeout=40) as answer:
        assert answer.read() == b"2"


def test_called_over_nats_from_another_pod(platform: Deployed, add: str) -> None:
    """By a caller of the tenant `default`, whose namespaces are one."""
    url = platform.secret("faas-caller-default")["url"]
    container = {
        "name": "main", "image": PLATFORM, "command": ["python3", "-c", CALL_OVER_NATS],
        "env": [{"name": "url", "value": url}],
    }  # fmt: skip
    spec = {"restartPolicy": "Never", "containers": [container], "automountServiceAccountToken": False}
    platform.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "caller"}, "spec": spec})
    path = "/api/v1/namespaces/default/pods/caller"
    wait_until(lambda: platform.api.get(path).body["status"].get("phase") in ("Succeeded", "Failed"), "the Pod ends")
    said = platform.kubectl("logs", "caller").out
    platform.kubectl("delete", "pod", "caller", check=True)
    assert json.loads(said) == ["23", "NoRespondersError", "refused"]


def test_applied_watched_and_deleted_by_kubectl(platform: Deployed) -> None:
    name = "plain"
    source = {"inline": {"main.py": CONFINED}}
    platform.apply(manifest(name, source=source, scale={"min": 1}))
    platform.kubectl("wait", "--for=condition=Ready", f"fn/{name}", "--timeout=120s", check=True)
    columns = platform.kubectl("get", "fn", name, check=True).out.splitlines()
    assert columns[0].split() == ["NAME", "READY", "REASON", "REPLICAS", "REVISION", "AGE"]
    assert columns[1].split()[:4] == [name, "True", "PodsReady", "1"]
    assert "Revision:" in platform.kubectl("describe", "fn", name, check=True).out
    said = platform.faas("execute", f"default/{name}", "{}", check=True).out.partition("result: ")[2]
    assert json.loads(said) == {"uid": 65532, "root": "Read-only file system", "token": False}
    (pod,) = platform.function_pods(name)
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert [each["securityContext"] for each in pod["spec"]["containers"]] == [RESTRICTED]
    platform.kubectl("delete", "fn", name, check=True)
    wait_until(lambda: not platform.function_pods(name), "its Pods are gone")
    assert platform.faas("execute", f"default/{name}", "{}").code == 3


def test_requirements_come_from_an_archive(platform: Deployed) -> None:
    example = EXAMPLE_WITH_REQUIREMENTS
    platform.faas("deploy", str(example), "--python", DEBIAN_PYTHON, "--min", "1", check=True)
    request = urllib.request.Request(f"{platform.gateway}/default/thumbnail", (example / "rocket.jpg").read_bytes())
    request.add_header("Authorization", f"Bearer {platform.token}")
    request.add_header("Content-Type", "image/jpeg")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.read(3) == b"\xff\xd8\xff"  # a JPEG begins so
    platform.kubectl("delete", "fn", "thumbnail", check=True)


def test_scales_out_to_zero_and_back(platform: Deployed) -> None:
    scale = {"max": 3, "window": "2s", "panicWindow": "1s", "scaleToZeroAfter": "3s"}
    platform.apply(manifest("slow", source={"inline": {"main.py": SLOW}}, concurrency=1, scale=scale))
    platform.kubectl("wait", "--for=condition=Ready", "fn/slow", "--timeout=120s", check=True)
    with running_load(
        f"{platform.gateway}/default/slow",
        platform.node.directory / "none",
        4,
        {**platform.authorization(), "Prefer": "wait"},
    ) as load:
        wait_until(lambda: platform.ready_pods("slow") == 3, "three Pods carry the load")
    assert set(load.statuses()) == {200}
    wait_until(lambda: not platform.function_pods("slow"), "there is no Pod after 3 s without a call")
    assert platform.condition("slow", "Ready")["reason"] == "ScaledToZero"
    hint = platform.faas("execute", "default/slow", '{"id":1}')
    assert (hint.code, hint.out) == (4, "function default/slow is starting, try again in 1 s\n")
    back = platform.faas("execute", "default/slow", '{"id":1}', "--wait=60")
    assert back.out == "execute function success, result: 1\n"
    platform.kubectl("delete", "fn", "slow", check=True)


@pytest.mark.parametrize(
    ("name", "spec", "reason", "words"),
    [
        ("no-image", {"image": "localhost/none:1"}, "ImagePull", "localhost/none:1"),
        (
            "no-secret",
            {"envFrom": [{"secretRef": {"name": "absent"}}]},
            "CreateContainerConfigError",
            'secret "absent"',
        ),
        ("no-room", {"resources": {"requests": {"cpu": "999"}}}, "Unschedulable", "Insufficient cpu"),
        ("no-memory", {"resources": {"limits": {"memory": "64Mi"}}}, "OOMKilled", ""),
    ],
)
def test_why_a_function_cannot_start(
    platform: Deployed, name: str, spec: dict[str, Any], reason: str, words: str
) -> None:
    if "image" not in spec:
        spec = {**spec, "source": {"inline": {"main.py": "X = bytearray(200_000_000)\ndef handle(event): return 1"}}}
    platform.apply(manifest(name, scale={"min": 1}, **spec))

    def told() -> bool:
        found = platform.condition(name, "Ready")
        return found.get("status") == "False" and reason in found["reason"] and words in found["message"]

    wait_until(told, f"{name} is not ready because of {reason}")
    assert reason in platform.faas("get", f"default/{name}").out
    called = platform.faas("execute", f"default/{name}", "{}")
    assert called.code == 4
    assert reason in called.out
    platform.kubectl("delete", "fn", name, check=True)
