"""Settings of the kubelet, from its command line."""

import argparse
import sys
from pathlib import Path

import msgspec


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """One kubelet."""

    kubeconfig: Path
    """How to reach the API server."""
    node_name: str
    """Name of the Node that it registers and whose Pods it runs."""
    directory: Path
    """Its own directory (0700): Pods, logs, cache, state."""
    tls_cert: Path
    tls_key: Path
    """Certificate and key of its HTTPS endpoint."""
    client_ca: Path
    """CA of the clients that may use the endpoint; nobody else gets an answer."""
    host: str = "127.0.0.1"
    """Address of the endpoint, and the Node's InternalIP."""
    port: int = 0
    """Port of the endpoint; 0 lets the kernel choose."""
    forkserver: tuple[str, ...] = (sys.executable, "-m", "faas_runtime.forkserver")
    """Command of the warm parent of Python Pods; `--socket PATH` is added."""
    shutdown_grace: float = 10.0
    """Seconds that a Pod gets at most between SIGTERM and SIGKILL when the kubelet is stopped, whatever its own grace
    period: whoever stops the platform (`faas down` waits 15 s) must not have to kill the kubelet before its Pods."""
    log_level: str = "info"

    @property
    def cache(self) -> Path:
        """FAAS_CACHE_DIR: unpacked archives, shared by all Pods of the node."""
        return self.directory / "cache"


def parse(arguments: list[str]) -> Settings:
    """Settings from a command line; exits with 2 and a usage message when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m cli.local.kubelet", description="Run Pods as processes of this machine."
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, help="file that says how to reach the API server")
    parser.add_argument("--node-name", required=True, help="name of the Node to register")
    parser.add_argument(
        "--dir", dest="directory", type=Path, required=True, help="directory for Pods, logs, cache and state"
    )
    parser.add_argument("--tls-cert", type=Path, required=True, help="certificate of the HTTPS endpoint")
    parser.add_argument("--tls-key", type=Path, required=True, help="its key")
    parser.add_argument(
        "--client-ca", type=Path, required=True, help="CA that signed the certificates of permitted clients"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address of the endpoint (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port of the endpoint (default: the kernel chooses)")
    parser.add_argument(
        "--shutdown-grace", type=float, default=10.0, help="seconds that Pods get at most when the kubelet is stopped"
    )
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    values = vars(parser.parse_args(arguments))
    values["directory"] = values["directory"].resolve()
    return Settings(**values)
