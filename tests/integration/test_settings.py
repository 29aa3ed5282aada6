"""A wrong setting ends a service at its start with a line that names it, and no traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVICES = sorted(file.parent.name for file in (Path(__file__).parents[2] / "services").glob("*/config.py"))


def start(service: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Starts a service that is to end at once."""
    command = [sys.executable, "-m", f"services.{service}"]
    env = {"PATH": os.environ["PATH"], **settings}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("service", SERVICES)
def test_every_wrong_setting_is_named(service: str) -> None:
    done = start(
        service, FAAS_HTTP_PORT="99999", FAAS_LOG_LEVEL="loud", FAAS_INSTANCE="A.b",
        FAAS_NATS_PASSWORD_FILE="/nowhere/password", FAAS_KUBECONFIG="/nowhere/config",
    )  # fmt: skip
    assert done.returncode == 2
    lines = done.stderr.removeprefix(f"{service}: ").splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        "FAAS_NATS_PASSWORD_FILE", "FAAS_KUBECONFIG", "FAAS_HTTP_PORT", "FAAS_INSTANCE", "FAAS_LOG_LEVEL",
    ]  # fmt: skip
    assert "FAAS_KUBECONFIG='/nowhere/config': No such file or directory" in lines


@pytest.mark.parametrize("service", SERVICES)
def test_an_address_that_is_not_this_machines_is_named(service: str) -> None:
    done = start(service, FAAS_HTTP_HOST="192.0.2.1")  # TEST-NET-1, RFC 5737
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("service", ["gateway", "scaler"])  # the others are waiting for NATS then
@pytest.mark.parametrize("content", [None, "", "clusters: 7\n", "}{"])
def test_a_service_without_a_cluster_says_so(service: str, content: str | None, tmp_path: Path) -> None:
    settings = {}
    if content is not None:
        (tmp_path / "config").write_text(content)
        settings["FAAS_KUBECONFIG"] = str(tmp_path / "config")
    done = start(service, **settings)
    assert done.returncode == 1
    said = (
        "FAAS_KUBECONFIG is not set, and this is no Pod" if content is None else f"{tmp_path}/config is no kubeconfig"
    )
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_times_with_which_two_scalers_could_lead_are_refused() -> None:
    done = start("scaler", FAAS_RENEW_SECONDS="20")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "scaler: FAAS_RETRY_SECONDS < FAAS_RENEW_SECONDS < FAAS_LEASE_SECONDS must hold\n"
    assert "FAAS_TICK_SECONDS='-1'" in start("scaler", FAAS_TICK_SECONDS="-1").stderr
