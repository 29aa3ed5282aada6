"""`python -m cli.local.kubelet`: wires the kubelet together.

SIGTERM or SIGINT stops every Pod gracefully, within --shutdown-grace, and exits 0; a second one kills what is left.
kill -9 leaves the Pods running for the next kubelet with the same --dir.
"""

import asyncio
import logging
import os
import signal
import sys

import uvloop
from kubernetes_asyncio.config import ConfigException

from cli.local.kubelet.config import Settings, parse
from cli.local.kubelet.events import EventRecorder
from cli.local.kubelet.forkclient import ForkServer
from cli.local.kubelet.launcher import Host, base_environment
from cli.local.kubelet.lock import AlreadyRunning, locked
from cli.local.kubelet.logs import LogKeeper
from cli.local.kubelet.manager import Manager
from cli.local.kubelet.node import NodeKeeper
from cli.local.kubelet.server import serve
from services.common.http import listen
from services.common.kube import KubeClient
from services.common.logging import setup


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    listener = listen(settings.host, settings.port)
    async with KubeClient(str(settings.kubeconfig)) as client:
        environment = base_environment(settings.directory, settings.directory) | {
            name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ
        }
        forks = ForkServer(list(settings.forkserver), settings.directory, environment)
        host = Host(settings, client, forks, EventRecorder(client, "kubelet", settings.node_name), LogKeeper(), set())
        manager = Manager(host)
        node = NodeKeeper(client, settings, listener.getsockname()[1])
        async with asyncio.TaskGroup() as tasks:
            parts = [
                tasks.create_task(part)
                for part in (forks.run(), host.events.run(), node.run(), serve(settings, manager, listener))
            ]
            parts.append(tasks.create_task(manager.run()))
            await stop.wait()
            await manager.stop_all(hurry)
            for part in parts:
                part.cancel()


def main() -> None:
    """Entry point; exits with 1 and one line when the kubelet can't start."""
    settings = parse(sys.argv[1:])
    setup("kubelet", settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    try:
        for directory in (settings.directory, settings.cache):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(settings.directory):
            uvloop.run(run(settings))
    except (OSError, AlreadyRunning, ConfigException) as error:
        sys.exit(f"kubelet: {error}")
    except BaseExceptionGroup as failure:
        logging.getLogger("kubelet").error("stopped by an error; its Pods go on", exc_info=failure)
        sys.exit(1)


if __name__ == "__main__":
    main()
