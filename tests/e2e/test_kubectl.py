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
    platform.kubectl("wait", "--for=condition=Ready", "fn/applied", "--timeout=60s", check=True)
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
    platform.kubectl("wait", name, "--for=jsonpath={.spec.replicas}=1", "--timeout=60s", check=True)


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
    platform.kubectl("wait", "--for=condition=Ready", "fn/gone", "--timeout=60s", check=True)
    platform.kubectl("delete", "fn", "gone", "--timeout=60s", check=True)
    platform.kubectl("wait", "rs,pods", "-l", "faas.dev/function=gone", "--for=delete", "--timeout=60s", check=True)
    left = json.loads(platform.kubectl("get", "rs,pods", "-l", "faas.dev/function=gone", "-o", "json", check=True).out)
    assert left["items"] == []
    assert http("POST", f"{platform.gateway}/default/gone", b"{}").status == 404


def test_execute_is_a_kubectl_plugin(platform: Platform, applied: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {"PATH": path, "HOME": os.environ["HOME"], "FAAS_DIR": str(platform.directory)}
    command = ["kubectl", "execute", f"default/{applied}", '{"a":1}']
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (0, 'execute function success, result: {"a":1}\n')


def test_apply_again_changes_nothing_and_changes_of_every_kind_are_taken(platform: Platform, tmp_path: Path) -> None:
    manifest = tmp_path / "changed.yaml"
    manifest.write_text(MANIFEST.replace("name: applied", "name: changed"))

    def kubectl(*arguments: str) -> str:
        return platform.kubectl(*arguments, check=True).out

    def spec(path: str) -> str:
        return kubectl("get", "fn", "changed", "-o", f"jsonpath={{.spec.{path}}}")

    assert kubectl("apply", "-f", str(manifest)) == "function.faas.dev/changed created\n"
    assert kubectl("apply", "-f", str(manifest)) == "function.faas.dev/changed unchanged\n"
    manifest.write_text(MANIFEST.replace("name: applied", "name: changed").replace("min: 1", "min: 1, max: 4"))
    assert kubectl("apply", "-f", str(manifest)) == "function.faas.dev/changed configured\n"
    assert spec("scale.max") == "4"
    kubectl("patch", "fn", "changed", "--type=merge", "-p", '{"spec":{"concurrency":5}}')
    kubectl("patch", "fn", "changed", "--type=json", "-p", '[{"op":"replace","path":"/spec/timeout","value":"7s"}]')
    assert (spec("concurrency"), spec("timeout")) == ("5", "7s")
    kubectl("label", "fn", "changed", "team=blue")
    kubectl("wait", "--for=condition=Ready", "fn/changed", "--timeout=60s")
    assert http("POST", f"{platform.gateway}/default/changed", b"[1]").body == b"[1]"
    kubectl("delete", "-f", str(manifest), "--timeout=60s")
    assert kubectl("get", "fn", "-l", "team=blue", "-o", "name") == ""


def test_edit_opens_the_function_and_takes_what_is_saved(platform: Platform, applied: str) -> None:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "KUBECONFIG": platform.kubeconfig,
        "KUBE_EDITOR": "sed -i s/60s/61s/",
    }
    command = ["kubectl", "edit", "fn", applied]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, done.stdout) == (0, f"function.faas.dev/{applied} edited\n"), done.stderr
    timeout = platform.kubectl("get", "fn", applied, "-o", "jsonpath={.spec.timeout}", check=True).out
    assert timeout == "61s"


def test_server_side_apply_is_taken_and_conflicts_name_the_other_manager(platform: Platform, tmp_path: Path) -> None:
    manifest = tmp_path / "ours.yaml"
    manifest.write_text(MANIFEST.replace("name: applied", "name: shared"))
    theirs = tmp_path / "theirs.yaml"
    theirs.write_text(manifest.read_text().replace("min: 1", "min: 2"))
    for _ in range(2):
        done = platform.kubectl("apply", "--server-side", "-f", str(manifest), check=True)
        assert done.out == "function.faas.dev/shared serverside-applied\n"
    options = ("apply", "--server-side", "--field-manager=theirs", "-f", str(theirs))
    refused = platform.kubectl(*options)
    assert refused.code != 0
    assert 'conflict with "kubectl": .spec.scale.min' in refused.err
    platform.kubectl(*options, "--force-conflicts", check=True)
    low = platform.kubectl("get", "fn", "shared", "-o", "jsonpath={.spec.scale.min}", check=True).out
    assert low == "2"
    platform.kubectl("delete", "fn", "shared", check=True)


def test_get_watches_as_it_changes(platform: Platform, tmp_path: Path) -> None:
    manifest = tmp_path / "watched.yaml"
    manifest.write_text(MANIFEST.replace("name: applied", "name: watched"))
    platform.kubectl("apply", "-f", str(manifest), check=True)
    command = ["kubectl", "get", "fn", "watched", "-w", "--no-headers", "-o", "custom-columns=C:.spec.concurrency"]
    env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "KUBECONFIG": platform.kubeconfig}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        try:
            assert watching.stdout.readline() == "10\n"
            platform.kubectl("patch", "fn", "watched", "--type=merge", "-p", '{"spec":{"concurrency":3}}', check=True)
            while (line := watching.stdout.readline()) == "10\n":  # its status changes as well
                pass
            assert line == "3\n"
        finally:
            watching.terminate()
    platform.kubectl("delete", "fn", "watched", check=True)


def test_a_deleted_namespace_takes_its_functions_along_and_can_be_had_again(platform: Platform, tmp_path: Path) -> None:
    manifest = tmp_path / "tenant.yaml"
    manifest.write_text(MANIFEST.replace("name: applied, namespace: default", "name: tenant, namespace: leaving"))
    for _ in range(2):
        platform.kubectl("create", "namespace", "leaving", check=True)
        platform.kubectl("apply", "-f", str(manifest), check=True)
        platform.kubectl("wait", "-n", "leaving", "--for=condition=Ready", "fn/tenant", "--timeout=60s", check=True)
        assert http("POST", f"{platform.gateway}/leaving/tenant", b"[1]").body == b"[1]"
        platform.kubectl("delete", "namespace", "leaving", "--timeout=60s", check=True)
        assert http("POST", f"{platform.gateway}/leaving/tenant", b"[1]").status == 404
    assert platform.kubectl("get", "fn,rs,pods", "-n", "leaving", "-o", "name", check=True).out == ""
