"""`python -m cli.local.controllers --kubeconfig FILE`: ReplicaSets and garbage collection.

SIGTERM or SIGINT ends it at once: it keeps no state, and what it began goes on when it is started again.
"""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

import uvloop
from kubernetes_asyncio.config import ConfigException

from cli.local.controllers.monitors import Monitors
from cli.local.controllers.replicaset import ReplicaSetController
from cli.local.controllers.resources import Pod, ReplicaSet
from cli.local.kubelet.events import EventRecorder
from services.common.kube import KubeClient
from services.common.logging import setup
from services.common.watch import Change, WatchCache

PODS, REPLICA_SETS = "/api/v1/pods", "/apis/apps/v1/replicasets"


async def run(kubeconfig: str) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with KubeClient(kubeconfig) as client:

        def on_pod(change: Change[Pod]) -> None:
            replica_sets.on_pod(change)
            monitors.changed(PODS, change)

        def on_replica_set(change: Change[ReplicaSet]) -> None:
            replica_sets.on_replica_set(change)
            monitors.changed(REPLICA_SETS, change)

        pods = WatchCache(client, PODS, Pod, on_change=on_pod)
        sets = WatchCache(client, REPLICA_SETS, ReplicaSet, on_change=on_replica_set)
        events = EventRecorder(client, "replicaset-controller")
        replica_sets = ReplicaSetController(client, sets, pods, events)
        monitors = Monitors(client, {PODS: pods, REPLICA_SETS: sets})
        async with asyncio.TaskGroup() as tasks:
            works = (pods.run(), sets.run(), events.run(), replica_sets.run(), monitors.run())
            running = [tasks.create_task(work) for work in works]
            await stop.wait()
            for task in running:
                task.cancel()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m cli.local.controllers", description="ReplicaSet controller and garbage collector."
    )
    parser.add_argument("--kubeconfig", type=Path, required=True, help="file that says how to reach the API server")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    options = parser.parse_args()
    setup("controllers", options.log_level)
    try:
        uvloop.run(run(str(options.kubeconfig)))
    except (OSError, ConfigException) as error:
        sys.exit(f"controllers: {error}")
    except BaseExceptionGroup as failure:
        logging.getLogger("controllers").error("stopped by an error", exc_info=failure)
        sys.exit(1)


if __name__ == "__main__":
    main()
