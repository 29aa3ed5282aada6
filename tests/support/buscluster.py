"""Three real nats-servers as one cluster, with the platform's accounts and users."""

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.local.topology import nats_server
from services.contracts.accounts import ROUTE_PORT, SERVICES, Cluster, caller, render
from tests.support.bus import ALL_NAMESPACES, free_ports
from tests.support.patience import eventually


@dataclass
class Node:
    """One server of the cluster."""

    name: str
    port: int
    config: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Starts it, again after a kill with the same store."""
        with self.config.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                [nats_server(), "-c", str(self.config)],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "POD_NAME": self.name},
            )

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@dataclass
class BusCluster:
    """Its servers, by name."""

    nodes: dict[str, Node]
    passwords: dict[str, str]
    directory: Path

    def environment(self, user: str) -> dict[str, str]:
        """The settings with which a service connects as ``user``."""
        file = self.directory / f"{user}.password"
        file.write_text(self.passwords[user])
        urls = ",".join(f"nats://127.0.0.1:{node.port}" for node in self.nodes.values())
        return {"FAAS_NATS_URL": urls, "FAAS_NATS_USER": user, "FAAS_NATS_PASSWORD_FILE": str(file)}


@contextmanager
def running_buscluster(directory: Path, size: int = 3) -> Iterator[BusCluster]:
    """Starts the servers on free loopback ports; JetStream has a leader when this is entered."""
    clients, routes = free_ports(size), free_ports(size)
    passwords = {name: secrets.token_urlsafe(18) for name in (*SERVICES, *(caller(name) for name in ALL_NAMESPACES))}
    nodes = {}
    for number in range(size):
        text = render(
            listen=f"127.0.0.1:{clients[number]}",
            store_dir=str(directory / f"js-{number}"),
            passwords=passwords,
            tenants=ALL_NAMESPACES,
            sync_always=False,
            cluster=Cluster("test", "route-password", [f"127.0.0.1:{port}" for port in routes]),
        )
        config = directory / f"nats-{number}.conf"
        config.write_text(re.sub(rf"0\.0\.0\.0:{ROUTE_PORT}", f"127.0.0.1:{routes[number]}", text))
        nodes[f"nats-{number}"] = Node(f"nats-{number}", clients[number], config)
    with ExitStack() as stack:
        for node in nodes.values():
            node.start()
            stack.callback(node.kill)
        logs = [node.config.with_suffix(".log") for node in nodes.values()]
        eventually(lambda: any("JetStream cluster new metadata leader" in log.read_text() for log in logs), "a leader")
        yield BusCluster(nodes, passwords, directory)
