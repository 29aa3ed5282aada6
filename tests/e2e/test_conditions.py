"""Why a function cannot be called stands in its conditions and in the command's words; updates and rollbacks."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import PATIENCE
from tests.support.platform import Platform
from tests.support.source import write

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed on this machine")

GREEDY = """
import time

def handle(event):
    taken = bytearray(400_000_000)
    taken[::4096] = bytes([1]) * len(taken[::4096])
    time.sleep(30)  # it is measured now and then
"""
SECRET = """\
apiVersion: faas.dev/v1alpha1
kind: Function
metadata: {name: needs-secret}
spec:
  source:
    inline:
      main.py: |
        import os
        def handle(event):
            return [os.environ["DIRECT"], os.environ["PRE_word"], os.environ["PLAIN"]]
  env:
    - {name: PLAIN, value: plain}
    - {name: DIRECT, valueFrom: {secretKeyRef: {name: keys-of-it, key: word}}}
  envFrom:
    - {prefix: PRE_, secretRef: {name: keys-of-it}}
  scale: {min: 1}
"""


def ready(platform: Platform, name: str) -> dict[str, Any]:
    """The function's condition Ready."""
    found = json.loads(platform.faas("get", name, "-o", "json", check=True).out)
    return dict(next(one for one in found["status"]["conditions"] if one["type"] == "Ready"))


def revision(platform: Platform, name: str) -> str:
    return str(json.loads(platform.faas("get", name, "-o", "json", check=True).out)["status"]["revision"])


def test_a_function_that_takes_too_much_memory_is_killed_and_says_so(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "greedy", GREEDY)
    platform.faas("deploy", str(folder), "--min", "1", "--memory", "100Mi", check=True)
    deadline, seen = time.monotonic() + PATIENCE, set[str]()
    while "OOMKilled" not in seen:  # its first end is followed by another run at once, the second one by a pause
        assert time.monotonic() < deadline, seen
        assert platform.faas("execute", "default/greedy", "0", "--wait=40").code in (1, 4)
        seen.add(str(ready(platform, "greedy")["reason"]))
    assert seen <= {"PodsReady", "OOMKilled"}
    assert platform.faas("execute", "default/greedy", "0").out == (
        "execute function failed, code: 503 msg: function_unavailable: function default/greedy can't start: "
        "OOMKilled: the container used more memory than its limit\n"
    )
    platform.faas("delete", "greedy", check=True)


@needs_kubectl
def test_a_missing_secret_is_named_and_its_arrival_is_noticed(platform: Platform, tmp_path: Path) -> None:
    manifest = tmp_path / "needs-secret.yaml"
    manifest.write_text(SECRET)
    done = platform.faas("deploy", str(manifest), "--wait-timeout", "60s")
    assert done.code == 1
    assert 'CreateContainerConfigError: secret "keys-of-it" not found' in done.err
    assert ready(platform, "needs-secret")["message"] == 'secret "keys-of-it" not found'
    answer = platform.faas("execute", "default/needs-secret", "1")
    assert answer.code == 4
    assert "function_unavailable: function default/needs-secret can't start: " in answer.out
    assert 'secret "keys-of-it" not found' in answer.out
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys-of-it"},
        "stringData": {"word": "sesame"},
    }
    (tmp_path / "secret.json").write_text(json.dumps(secret))
    platform.kubectl("apply", "-f", str(tmp_path / "secret.json"), check=True)
    done = platform.faas("execute", "default/needs-secret", "1", "--wait=40", check=True)
    assert done.out == 'execute function success, result: ["sesame","sesame","plain"]\n'


def test_an_image_is_refused_on_a_node_that_runs_processes(platform: Platform) -> None:
    options = ("--image", "registry.example/own:1", "--name", "own-image", "--wait-timeout", "60s")
    done = platform.faas("deploy", *options)
    assert done.code == 1
    assert "'registry.example/own:1' can't be run on this node, which runs processes, not containers" in done.err
    assert ready(platform, "own-image")["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert platform.faas("execute", "default/own-image", "1").code == 4


def test_the_same_source_is_the_same_revision_and_an_old_one_comes_back_by_its_name(
    platform: Platform, tmp_path: Path
) -> None:
    folder = write(tmp_path / "rolled", "def handle(event):\n    return 1\n")

    def deploy() -> str:
        platform.faas("deploy", str(folder), "--min", "1", check=True)
        return revision(platform, "rolled")

    first = deploy()
    assert deploy() == first
    (folder / "main.py").write_text("def handle(event):\n    return 2\n")
    second = deploy()
    assert second != first
    assert platform.faas("execute", "default/rolled", "0", "--raw", check=True).out == "2"
    (folder / "main.py").write_text("def handle(event):\n    return 1\n")
    assert deploy() == first
    assert platform.faas("execute", "default/rolled", "0", "--raw", check=True).out == "1"


@needs_kubectl
def test_a_deleted_function_leaves_nothing_and_its_name_is_free(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "reborn", "def handle(event):\n    return 'first'\n")
    for words in ("first", "second"):
        (folder / "main.py").write_text(f"def handle(event):\n    return {words!r}\n")
        platform.faas("deploy", str(folder), "-n", "reborn", "--min", "2", check=True)
        assert platform.faas("execute", "reborn/reborn", "0", "--raw", check=True).out == words
        platform.faas("delete", "reborn", "-n", "reborn", "--wait", check=True)
        assert platform.faas("execute", "reborn/reborn", "0").code == 3
    kinds = "functions,replicasets,pods"
    deadline = time.monotonic() + PATIENCE
    while left := platform.kubectl("get", kinds, "-n", "reborn", "-o", "name", check=True).out:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)  # kubectl has nothing to wait for when the last one goes between two of its requests
