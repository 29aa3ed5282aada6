"""Level 1: a real Kubernetes control plane as plain processes on loopback, without root, containers or a network.

    python -m tests.cluster.controlplane [DIRECTORY]     runs one until Ctrl-C and prints its kubeconfig

etcd, kube-apiserver, kube-controller-manager and kube-scheduler are what a production cluster runs. It has no node:
Pods stay Pending until a kubelet registers one (see process_node.py).
"""

import argparse
import secrets
import signal
import tempfile
import time
from pathlib import Path

from cli.local import pki
from tests.cluster.api import Api
from tests.cluster.build import kube_program
from tests.cluster.processes import Child, ClusterError, free_ports

LOOPBACK = "127.0.0.1"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"  # the first address of the range is the Service "kubernetes"
START_ATTEMPTS = 3  # ports are chosen before the servers bind them, so now and then another process takes one
NODE_NAME = "node1"

# Who may talk to the API server: user -> group. The names are those that Kubernetes' own RBAC rules are written for.
ADMIN = "admin"
USERS = {
    ADMIN: "system:masters",
    "system:kube-controller-manager": "",
    "system:kube-scheduler": "",
    "system:kube-proxy": "",
    f"system:node:{NODE_NAME}": "system:nodes",
}


class ControlPlane:
    """A control plane in `directory`: running after `start`, gone after `stop`, or with the process that started it."""

    def __init__(self, directory: Path, *, controllers: bool = True, address: str = LOOPBACK, port: int = 0) -> None:
        """With `controllers` false only etcd and the API server run, so that nothing but the caller changes objects.

        `address`: where the API server is reached; another than loopback is published to Pods as well. `port`: of the
        API server, 0 for any that is free.
        """
        self.directory = directory
        self.url = ""
        self.authority = pki.create_authority("test cluster CA")
        self._controllers = controllers
        self._address = address
        self._port = port
        self._tokens = {user: secrets.token_hex(16) for user in USERS}
        self._children: list[Child] = []
        self._apis: dict[str, Api] = {}
        self._kube = kube_program()

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.crt"

    def api(self, user: str = ADMIN) -> Api:
        """Returns the connection of one of USERS, closed by `stop`."""
        if user not in self._apis:
            self._apis[user] = Api(self.url, self._tokens[user], self.ca_file)
        return self._apis[user]

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """Returns the kubeconfig file of one of USERS."""
        path = self.directory / f"{user.replace(':', '-')}.kubeconfig"
        if not path.exists():
            pki.write_kubeconfig(path, self.url, self.authority.cert_pem, self._tokens[user])
        return path

    def kubectl(self, *arguments: str) -> list[str]:
        """Returns the command line of the kubectl of the same version, as administrator."""
        return [str(self._kube), "kubectl", f"--kubeconfig={self.kubeconfig()}", *arguments]

    def is_schedulable(self, name: str) -> bool:
        """Whether Pods can be scheduled on a node."""
        answer = self.api().get(f"/api/v1/nodes/{name}")
        if answer.status != 200:
            return False
        conditions = answer.body["status"].get("conditions") or []
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        return ready and not answer.body["spec"].get(
            "taints"
        )  # the control plane takes "not-ready" away a moment later

    def pids(self) -> dict[str, int]:
        return {child.name: child.pid for child in self._children}

    def server(self, name: str) -> Child:
        """Returns etcd, apiserver, controller-manager or scheduler, for a test to stop and start."""
        return next(child for child in self._children if child.name == name)

    def wait_ready(self) -> None:
        """Returns when an API server that was started again answers; raises ClusterError."""
        api = Api(self.url, self._tokens[ADMIN], self.ca_file)
        self.server("apiserver").wait_until(lambda: answers_ready(api), "an answer to /readyz")
        api.close()

    def token(self, user: str = ADMIN) -> str:
        return self._tokens[user]

    def start(self) -> None:
        """Returns when objects, Pods included, can be created; raises ClusterError with the log that says why not."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._write_credentials()
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._start_servers()
                break
            except ClusterError as error:
                self.stop()
                if attempt == START_ATTEMPTS or "address already in use" not in str(error):
                    raise
        if self._controllers:
            self._start_controllers()

    def stop(self) -> None:
        """Kills what was started, last first: there is no state to save."""
        while self._apis:
            self._apis.popitem()[1].close()
        while self._children:
            self._children.pop().stop()

    def _write_credentials(self) -> None:
        folder = self.directory
        for name, pair in {
            "ca": self.authority,
            "apiserver": self._serving_certificate(),
            "apiserver-kubelet-client": pki.issue_client_certificate(self.authority, "apiserver", "system:masters"),
            "service-accounts": pki.issue_client_certificate(self.authority, "service-accounts"),
        }.items():
            pki.write_key_pair(pair, folder / f"{name}.crt", folder / f"{name}.key")
        rows = (f'{self._tokens[user]},{user},{user},"{group}"' for user, group in USERS.items())
        pki.write_secret(folder / "tokens.csv", "\n".join(rows) + "\n")

    def _serving_certificate(self) -> pki.KeyPair:
        names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        return pki.issue_server_certificate(self.authority, "kube-apiserver", [self._address, API_SERVICE], names)

    def _start_servers(self) -> None:
        client_port, peer_port, free_port = free_ports(3)
        secure_port = self._port or free_port
        etcd_url, peer_url = f"http://{LOOPBACK}:{client_port}", f"http://{LOOPBACK}:{peer_port}"
        self.url = f"https://{self._address}:{secure_port}"
        etcd = self._child("etcd", *etcd_flags(etcd_url, peer_url))
        apiserver = self._child("apiserver", *self._apiserver_flags(etcd_url, secure_port))
        api = self.api()
        # The API server gives up when etcd does not answer within 20 s, so both may start at once.
        apiserver.wait_until(lambda: etcd.process.poll() is not None or answers_ready(api), "an answer to /readyz")
        etcd.wait_until(lambda: True, "the API server was ready")

    def _apiserver_flags(self, etcd_url: str, port: int) -> list[str]:
        flags = [*apiserver_flags(etcd_url), f"--secure-port={port}", f"--advertise-address={self._address}"]
        if self._address == LOOPBACK:
            # The Service "kubernetes" can't lead to a loopback address: it would be refused again and again.
            flags += [f"--bind-address={LOOPBACK}", "--endpoint-reconciler-type=none"]
        if not self._controllers:
            # Without them no namespace ever gets the service account that this plugin wants for every Pod.
            flags += ["--disable-admission-plugins=ServiceAccount"]
        return flags

    def _start_controllers(self) -> None:
        manager = self._child("controller-manager", *self._controller_flags())
        self._child("scheduler", *self._own_flags("scheduler"))
        api = self.api()
        # Pods are refused in a namespace until its default service account exists.
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        manager.wait_until(lambda: api.get(path).status == 200, "the default service account")

    def _controller_flags(self) -> list[str]:
        return [
            *self._own_flags("controller-manager"),
            "--use-service-account-credentials=true",  # each controller with its own role, as on a real cluster
            "--service-account-private-key-file=service-accounts.key",
            "--root-ca-file=ca.crt",
        ]

    def _own_flags(self, server: str) -> list[str]:
        kubeconfig = self.kubeconfig(f"system:kube-{server}")
        flags = [f"--kubeconfig={kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        # At the default of 20 requests a second, asking for its controllers' tokens takes the manager 4 s.
        return [*flags, "--kube-api-qps=1000", "--kube-api-burst=1000"]

    def _child(self, server: str, *flags: str) -> Child:
        child = Child(server, [self._kube, server, *flags], self.directory)
        self._children.append(child)
        return child


def etcd_flags(url: str, peer_url: str) -> list[str]:
    return [
        "--name=etcd",
        "--data-dir=etcd",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer_url}",
        f"--initial-advertise-peer-urls={peer_url}",
        f"--initial-cluster=etcd={peer_url}",
        "--unsafe-no-fsync",  # the directory is thrown away
        "--log-level=warn",
    ]


def apiserver_flags(etcd_url: str) -> list[str]:
    return [
        f"--etcd-servers={etcd_url}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--tls-cert-file=apiserver.crt",
        "--tls-private-key-file=apiserver.key",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file=service-accounts.crt",
        "--service-account-signing-key-file=service-accounts.key",
        "--kubelet-certificate-authority=ca.crt",
        "--kubelet-client-certificate=apiserver-kubelet-client.crt",
        "--kubelet-client-key=apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
    ]


def answers_ready(api: Api) -> bool:
    try:
        return api.get("/readyz").status == 200
    except OSError:  # nothing listens yet
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.controlplane", description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, help="for its state and logs (default: a temporary folder)")
    directory = parser.parse_args().directory or Path(tempfile.mkdtemp(prefix="faas-cluster-"))
    plane = ControlPlane(directory)
    began = time.monotonic()
    try:
        plane.start()
        print(
            f"up in {time.monotonic() - began:.1f} s, Ctrl-C stops it; export KUBECONFIG={plane.kubeconfig()}",
            flush=True,
        )
        signal.pause()
    except KeyboardInterrupt:
        print("stopping")
    finally:
        plane.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
