"""The platform's processes around a real control plane: what `faas up` runs, less API server and controllers."""

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from cli.local import pki, state
from cli.local.bootstrap import install_crds, wait_ready
from cli.local.layout import Layout
from cli.local.supervisor import run, settle
from cli.local.topology import ProcessSpec, processes
from tests.cluster.controlplane import LOOPBACK, NODE_NAME, ControlPlane

REPLACED = ("apiserver", "controllers")


@contextlib.contextmanager
def control_plane(directory: Path) -> Iterator[ControlPlane]:
    """A control plane of the platform's own, gone at the end."""
    plane = ControlPlane(directory / "control-plane")
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@contextlib.contextmanager
def starter(plane: ControlPlane, directory: Path) -> Iterator[Callable[[], None]]:
    """What starts the platform in `directory`, also after its supervisor was killed; returns once calls would work."""
    supervisors: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        reader, writer = os.pipe()
        command = [sys.executable, "-m", "tests.cluster.platform", "--dir", str(directory), "--ready-fd", str(writer)]
        command += ["--plane", str(plane.directory)]
        with open(reader, "rb") as answer:
            with (directory / "supervisor.log").open("ab") as log:
                supervisor = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(writer,),
                    start_new_session=True,
                )
            supervisors.append(supervisor)
            os.close(writer)
            said = answer.read().decode()
        assert said == "ready", f"{said}\n{(directory / 'supervisor.log').read_text()}"

    _serving_certificate(plane, directory)
    plane.kubeconfig()
    plane.kubeconfig(f"system:node:{NODE_NAME}")
    yield start
    for supervisor in supervisors:
        supervisor.wait(10)


def _serving_certificate(plane: ControlPlane, directory: Path) -> None:
    """The kubelet's, signed by the authority that the API server asks for."""
    serving = pki.issue_server_certificate(plane.authority, f"system:node:{NODE_NAME}", [LOOPBACK])
    pki.write_key_pair(serving, directory / "node.crt", directory / "node.key")


def specs(layout: Layout, plane: Path, environ: dict[str, str]) -> list[ProcessSpec]:
    """The platform's processes with the control plane's addresses in place of those of the local API server."""
    ports = state.read_ports(layout)
    assert ports is not None
    kept = [spec for spec in processes(layout, ports, environ) if spec.name not in REPLACED]
    return [_kubelet(layout, spec, plane) if spec.name == "kubelet" else spec for spec in kept]


def _kubelet(layout: Layout, spec: ProcessSpec, plane: Path) -> ProcessSpec:
    options = {
        "--kubeconfig": plane / f"system-node-{NODE_NAME}.kubeconfig",
        "--node-name": NODE_NAME,
        "--dir": layout.kubelet,
        "--tls-cert": layout.root / "node.crt",
        "--tls-key": layout.root / "node.key",
        "--client-ca": plane / "ca.crt",
    }
    words = [str(word) for option in options.items() for word in option]
    return msgspec.structs.replace(spec, argv=(*spec.argv[:3], *words))


def main() -> int:
    """The supervisor process of such a platform."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--plane", type=Path, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    options = parser.parse_args()
    layout = Layout(options.dir)
    layout.create()
    lock = state.try_lock(layout)
    assert lock is not None, "another supervisor is running"
    with lock:
        settle(layout, 0, 0)
        layout.kubeconfig.write_bytes((options.plane / "admin.kubeconfig").read_bytes())
        chosen = specs(layout, options.plane, dict(os.environ))

        def prepare() -> None:
            install_crds(layout)
            wait_ready(layout, chosen, NODE_NAME)

        return asyncio.run(run(layout, chosen, prepare, options.ready_fd))


if __name__ == "__main__":
    sys.exit(main())
