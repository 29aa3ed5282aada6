"""kubectl against the one-machine platform, with the kubeconfig that it writes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.http import http
from tests.support.platform import Platform

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed on this machine")

MANIFEST = """\
apiVersion: faas.dev/v1alpha1
kind: Function
metadata: {name: applied, namespace: default}
spec:
  source:
    inline:
      main.py: |
        import sys
        def handle(event):
            print("called with", event, file=sys.stderr)
            return event
  scale: {min: 1}
"""


@pytest.fixture(scope="module")
def applied(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    manifest = tmp_path_factory.mktemp("kubectl") / "fn.yaml"
    manifest.write_text(MANIFEST)
    platform.kubectl("apply", "-f", str(manifest), check=True)
    platform.kubectl("wait", "--for=condition=Ready", "fn/applied", "--timeout=20s", check=True)
    return "applied"


def test_apply_and_wait_give_a_callable_function(platform: Platform, applied: str) -> None:
    assert http("POST", f"{platform.gateway}/default/{applied}", b"[1]").body == b"[1]"


def test_get_shows_the_printer_columns(platform: Platform, applied: str) -> None:
    table = platform.kubectl("get", "fn", applied, check=True).out.splitlines()
    assert table[0].split()[:2] == ["NAME", "READY"]
    assert table[1].split()[:2] == ["applied", "True"]
    assert platform.kubectl("get", "rs,pods,nodes", check=True).out.count("applied-") >= 2


def test_describe_tells_the_conditions(platform: Platform, applied: str) -> None:
    assert "Type:" in platform.kubectl("describe", "fn", applied, check=True).out
    pod = platform.kubectl("get", "pods", "-l", "faas.dev/function=applied", "-o", "name", check=True).out.split()[0]
    assert "faas-python" in platform.kubectl("describe", pod, check=True).out


def test_logs_have_what_the_function_printed(platform: Platform, applied: str) -> None:
    http("POST", f"{platform.gateway}/default/{applied}", b'"for the log"')
    pod = platform.kubectl("get", "pods", "-l", "faas.dev/function=applied", "-o", "name", check=True).out.split()[0]
    assert "called with for the log" in platform.kubectl("logs", pod, check=True).out


def test_scale_of_the_replicaset_is_taken_and_then_corrected_by_the_scaler(platform: Platform, applied: str) -> None:
    name = platform.kubectl("get", "rs", "-l", "faas.dev/function=applied", "-o", "name", check=True).out.strip()
    platform.kubectl("scale", name, "--replicas=3", check=True)
    platform.kubectl("wait", name, "--for=jsonpath={.spec.replicas}=1", "--timeout=20s", check=True)


def test_a_wrong_manifest_is_refused_by_the_api_server_naming_the_field(platform: Platform, tmp_path: Path) -> None:
    manifest = tmp_path / "wrong.yaml"
    manifest.write_text(MANIFEST.replace("scale: {min: 1}", "scale: {min: -1, mxa: 3}"))
    done = platform.kubectl("apply", "-f", str(manifest))
    assert done.code != 0
    assert "spec.scale" in done.err
    done = platform.kubectl("create", "-f", str(manifest), "--validate=ignore")
    assert "spec.scale.min" in done.err


def test_delete_removes_all_that_belonged_to_it(platform: Platform, tmp_path: Path) -> None:
    manifest = tmp_path / "gone.yaml"
    manifest.write_text(MANIFEST.replace("name: applied", "name: gone"))
    platform.kubectl("apply", "-f", str(manifest), check=True)
    platform.kubectl("wait", "--for=condition=Ready", "fn/gone", "--timeout=20s", check=True)
    platform.kubectl("delete", "fn", "gone", "--timeout=20s", check=True)
    platform.kubectl("wait", "rs,pods", "-l", "faas.dev/function=gone", "--for=delete", "--timeout=20s", check=True)
    left = json.loads(platform.kubectl("get", "rs,pods", "-l", "faas.dev/function=gone", "-o", "json", check=True).out)
    assert left["items"] == []
    assert http("POST", f"{platform.gateway}/default/gone", b"{}").status == 404


def test_execute_is_a_kubectl_plugin(platform: Platform, applied: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "HOME": os.environ["HOME"], "FAAS_DIR": str(platform.directory)}
    command = ["kubectl", "execute", f"default/{applied}", '{"a":1}']
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, 'execute function success, result: {"a":1}\n')
