"""Settings of the API server, from the command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec


class Config(msgspec.Struct, frozen=True):
    """Where to listen, what to trust and where the data is."""

    db: Path
    host: str
    port: int
    tls_cert: Path
    tls_key: Path
    token_file: Path
    kubelet_ca: Path | None
    kubelet_client_cert: Path | None
    kubelet_client_key: Path | None
    history: int


def parse(arguments: Sequence[str] | None = None) -> Config:
    """Read the command line; exits with usage (status 2) when it is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m cli.local.apiserver",
        description="Kubernetes-API-compatible server of the one-machine platform.",
    )
    add = parser.add_argument
    add("--db", type=Path, required=True, metavar="FILE", help="SQLite database; made when it does not exist")
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, required=True, help="port to listen on")
    add("--tls-cert", type=Path, required=True, metavar="FILE", help="the server's certificate (PEM)")
    add("--tls-key", type=Path, required=True, metavar="FILE", help="its private key (PEM)")
    add("--token-file", type=Path, required=True, metavar="FILE", help="the bearer token that clients must send")
    add("--kubelet-ca", type=Path, metavar="FILE", help="who signs kubelets' certificates; for logs")
    add("--kubelet-client-cert", type=Path, metavar="FILE", help="certificate shown to kubelets; for logs")
    add("--kubelet-client-key", type=Path, metavar="FILE", help="its private key; for logs")
    add("--history", type=int, default=2048, metavar="N", help="events kept per resource for watches (%(default)s)")
    given = vars(parser.parse_args(arguments))
    if not 0 < given["port"] < 65536:
        parser.error(f"--port {given['port']}: must be between 1 and 65535")
    if given["history"] < 1:
        parser.error(f"--history {given['history']}: must be at least 1")
    kubelet = [given["kubelet_ca"], given["kubelet_client_cert"], given["kubelet_client_key"]]
    if any(kubelet) and not all(kubelet):
        parser.error(
            "--kubelet-ca, --kubelet-client-cert and --kubelet-client-key belong together: give all three or none"
        )
    return Config(**given)
