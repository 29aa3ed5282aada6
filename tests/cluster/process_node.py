"""The only node of a level 1 cluster: the process kubelet of `faas up`, registered with the rights of any kubelet."""

import os
import signal
import sys
from pathlib import Path

from cli.local import pki
from tests.cluster.controlplane import LOOPBACK, NODE_NAME, ControlPlane
from tests.cluster.processes import Child, ClusterError

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 20  # Pods get their grace period


class ProcessNode:
    """A running kubelet: its Pods are processes of this machine."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        self.directory = directory
        self._plane = plane
        self._child: Child | None = None

    def start(self) -> None:
        """Returns when Pods can be scheduled on the node; raises ClusterError."""
        serving = pki.issue_server_certificate(self._plane.authority, f"system:node:{NODE_NAME}", [LOOPBACK])
        certificate, key = self.directory / "kubelet.crt", self.directory / "kubelet.key"
        pki.write_key_pair(serving, certificate, key)
        kubeconfig = self._plane.kubeconfig(f"system:node:{NODE_NAME}")
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "cli.local.kubelet",
            "--kubeconfig",
            kubeconfig,
            "--node-name",
            NODE_NAME,
        ]
        command += ["--dir", self.directory / "kubelet", "--client-ca", self._plane.ca_file]
        command += ["--tls-cert", certificate, "--tls-key", key]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._child = Child("kubelet", command, self.directory, environment=environment, death_signal=signal.SIGTERM)
        self._child.wait_until(lambda: self._plane.is_schedulable(NODE_NAME), "the node was ready")

    def stop(self) -> None:
        """Ends the kubelet and its Pods; raises ClusterError when it does not end in time, or badly."""
        if self._child is not None and (code := self._child.stop(seconds=STOP_SECONDS)):
            raise ClusterError(f"the kubelet ended with {code}:\n{self._child.last_lines()}")
