"""Level 2: a whole one-node Kubernetes: the control plane, kubelet, containerd, CNI, kube-proxy and CoreDNS.

    python -m tests.cluster.node [DIRECTORY]     runs one until Ctrl-C and prints how to reach it
    python -m tests.cluster.node --install       installs the Debian packages that it needs

It lives in namespaces of its own (network, processes, mounts): the machine's network and mounts stay as they are, and
killing one process ends all of it. It needs root; its Pods' addresses are reached from inside `Node.network()`.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.api import Api
from tests.cluster.build import kube_program
from tests.cluster.image import Image, write_image
from tests.cluster.node_config import containerd_socket
from tests.cluster.node_servers import import_image
from tests.cluster.processes import LIBC, Child

ROOT = Path(__file__).parents[2]
PACKAGES = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "nftables",
    "conntrack",
    "iproute2",
    "debootstrap",
]
NEEDED = ["containerd", "ctr", "runc", "iptables", "nft", "conntrack", "ip", "debootstrap", "unshare"]
NEEDED += ["/usr/lib/cni/ptp"]
START_SECONDS = 120
APART = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""Begins a command that runs in namespaces of its own."""
CLONE_NEWNET = 0x40000000
CGROUPS = Path("/sys/fs/cgroup")


def why_not_here() -> str:
    """Returns why level 2 can't run on this machine, or an empty string."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "a whole node needs root on Linux"
    missing = [each for each in NEEDED if shutil.which(each) is None]
    if missing:
        return f"missing {', '.join(missing)}: on Debian, `python -m tests.cluster.node --install` installs them"
    # Root in a container may lack both; the table goes with its namespace.
    trial = [*APART, "nft", "add", "table", "inet", "trial"]
    tried = subprocess.run(trial, capture_output=True, text=True, timeout=30, check=False)
    return f"no namespaces or nftables for this root: {tried.stderr.strip()}" if tried.returncode else ""


class Node:
    """A one-node cluster with its files in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._child: Child | None = None
        self._kube = kube_program()

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.directory / "admin.kubeconfig"

    def start(self) -> None:
        """Returns when Pods run and find each other by name; raises ClusterError with the log that says why not."""
        inside = [sys.executable, "-m", "tests.cluster.node_servers", str(self.directory)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._child = Child("node", [*APART, *inside], self.directory, environment=environment)
        self._child.wait_until((self.directory / "ready").exists, "the node was up", seconds=START_SECONDS)

    def stop(self) -> None:
        """Kills all of it, and removes what takes space; the logs stay."""
        if self._child is not None:
            self._child.stop()
        for folder in ("containerd", "etcd", "kubelet"):
            shutil.rmtree(self.directory / folder, ignore_errors=True)
        remove_empty_cgroups()

    def load(self, *images: Image) -> None:
        """Makes the images known to the node; Pods use them with `imagePullPolicy: IfNotPresent` or `Never`."""
        for image in images:
            archive = self.directory / "image.tar"
            write_image(image, archive)
            import_image(containerd_socket(self.directory), archive)
            archive.unlink()

    def api(self) -> Api:
        """Returns a connection as administrator, to be opened within `network`."""
        return Api.of_kubeconfig(self.kubeconfig, self.directory / "ca.crt")

    def kubectl(self, *arguments: str) -> list[str]:
        """Returns a kubectl command line as administrator, to be run within `network`."""
        return [str(self._kube), "kubectl", f"--kubeconfig={self.kubeconfig}", *arguments]

    def init_pid(self) -> int:
        """Returns the machine's number of the node's first process, whose namespaces `nsenter --target` enters."""
        assert self._child is not None
        pid = self._child.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Moves this thread into the node's network: sockets and processes made meanwhile see its addresses."""
        with open("/proc/thread-self/ns/net") as ours, open(f"/proc/{self.init_pid()}/ns/net") as theirs:
            enter_network(theirs.fileno())
            try:
                yield
            finally:
                enter_network(ours.fileno())


def enter_network(descriptor: int) -> None:
    if LIBC.setns(descriptor, CLONE_NEWNET):  # os.setns came with Python 3.12
        raise OSError("setns failed: a network namespace can be entered by root only")


def remove_empty_cgroups() -> None:
    """Removes the Pods' control groups: the only thing of a node that no namespace ends."""
    for pods in [*CGROUPS.glob("kubepods"), *CGROUPS.glob("*/kubepods")]:
        for folder, _, _ in os.walk(pods, topdown=False):
            with contextlib.suppress(OSError):  # another cluster's processes are in it
                os.rmdir(folder)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.node", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, help="for its state and logs (default: a temporary folder)")
    parser.add_argument("--install", action="store_true", help="install the Debian packages that it needs, and end")
    options = parser.parse_args()
    if options.install:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], check=True)
        return
    if reason := why_not_here():
        sys.exit(f"error: {reason}")
    node = Node(options.directory or Path(tempfile.mkdtemp(prefix="faas-node-")))
    began = time.monotonic()
    try:
        node.start()
        print(f"up in {time.monotonic() - began:.1f} s, Ctrl-C stops it; a shell in its network:")
        print(f"KUBECONFIG={node.kubeconfig} nsenter --target {node.init_pid()} --net $SHELL", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        print("stopping")
    finally:
        node.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
