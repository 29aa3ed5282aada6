"""The inside of a level 2 node: `python -m tests.cluster.node_servers DIRECTORY`, run by node.py in its namespaces.

It starts a control plane and everything that a Kubernetes node runs, then touches DIRECTORY/ready and waits. Nothing is
cleaned up here: when this process ends, the kernel ends every process of its PID namespace, containers included, and
what they mounted and configured goes with the other namespaces.
"""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from cli.local import pki
from tests.cluster import node_config
from tests.cluster.build import kube_program, pause_program
from tests.cluster.controlplane import NODE_NAME, SERVICE_RANGE, ControlPlane
from tests.cluster.image import Image, Layer, write_image
from tests.cluster.node_config import API_PORT, NODE_ADDRESS, PAUSE_IMAGE
from tests.cluster.processes import Child

# Places that the servers use whatever their configuration says; what the machine itself has there stays as it is.
PRIVATE_FOLDERS = ["/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet"]


class NodeServers:
    """Starts the node's servers in order, each as soon as it can do its work."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.plane = ControlPlane(directory, address=NODE_ADDRESS, port=API_PORT)
        self._kube = kube_program()

    def start(self) -> None:
        prepare_mounts()
        prepare_network()
        # The control plane first writes the CA and the kubeconfigs that the configuration files name.
        self.plane.start()
        administrator = self.plane.kubeconfig()
        node_config.write_all(self.directory, self.plane.kubeconfig("system:kube-proxy"), administrator)
        self._start_containerd()
        self._start_kubelet()
        # One address serves the whole cluster: Pods find the API server and each other by these two.
        Child("proxy", [self._kube, "proxy", "--config=proxy.yaml", f"--hostname-override={NODE_NAME}"], self.directory)
        dns = Child("coredns", [self._kube, "coredns", "-conf", "Corefile"], self.directory)
        ready = self.directory / "policies-ready"
        agent = [sys.executable, "-m", "tests.cluster.policy_agent"]
        policies = Child("policies", [*agent, administrator, self.plane.ca_file, ready], self.directory)
        dns.wait_until(answers_dns, "DNS was ready")
        policies.wait_until(ready.exists, "policies were enforced")

    def _start_containerd(self) -> None:
        containerd = Child("containerd", ["containerd", "--config", "containerd.toml"], self.directory)
        socket = node_config.containerd_socket(self.directory)
        check = ["ctr", "--address", str(socket), "version"]
        containerd.wait_until(lambda: subprocess.run(check, capture_output=True).returncode == 0, "it answered")
        archive = self.directory / "pause.tar"
        write_image(Image(PAUSE_IMAGE, [Layer(pause_program(), "/pause")], entrypoint=["/pause"]), archive)
        import_image(socket, archive)

    def _start_kubelet(self) -> None:
        serving = pki.issue_server_certificate(self.plane.authority, f"system:node:{NODE_NAME}", [NODE_ADDRESS])
        pki.write_key_pair(serving, self.directory / "kubelet.crt", self.directory / "kubelet.key")
        flags = [
            "--config=kubelet.yaml",
            f"--kubeconfig={self.plane.kubeconfig(f'system:node:{NODE_NAME}')}",
            f"--hostname-override={NODE_NAME}",
            f"--node-ip={NODE_ADDRESS}",
            f"--root-dir={self.directory}/kubelet",
        ]
        kubelet = Child("kubelet", [self._kube, "kubelet", *flags], self.directory)
        kubelet.wait_until(lambda: self.plane.is_schedulable(NODE_NAME), "the node was ready")


def import_image(containerd_socket: Path, archive: Path) -> None:
    """Gives containerd an image; raises CalledProcessError."""
    ctr = ["ctr", "--address", str(containerd_socket), "--namespace", "k8s.io"]
    subprocess.run([*ctr, "images", "import", str(archive)], check=True, capture_output=True)


def prepare_mounts() -> None:
    run("mount", "--make-rshared", "/")  # among the Pods; the machine itself was cut off by node.py
    for folder in PRIVATE_FOLDERS:
        if Path(folder).is_dir():
            run("mount", "-t", "tmpfs", "tmpfs", folder)


def prepare_network() -> None:
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "node0", "type", "bridge")
    run("ip", "address", "add", f"{NODE_ADDRESS}/32", "dev", "node0")
    run("ip", "link", "set", "node0", "up")
    # Without any route a packet to a Service is dropped before kube-proxy's rules can turn it to a Pod.
    run("ip", "route", "add", SERVICE_RANGE, "dev", "node0", "src", NODE_ADDRESS)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def answers_dns() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{node_config.DNS_HEALTH_PORT}/health", timeout=1):
            return True
    except OSError:
        return False


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def reap_until_end_of(child: int) -> int:
    """The duty of process 1: waits for every orphan, and returns the exit code of `child`."""
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def main() -> None:
    directory = Path(sys.argv[1])
    if child := os.fork():
        sys.exit(reap_until_end_of(child))
    NodeServers(directory).start()
    (directory / "ready").touch()
    signal.pause()


if __name__ == "__main__":
    main()
