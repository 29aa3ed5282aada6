"""Enforces NetworkPolicies on a level 2 node: `python -m tests.cluster.policy_agent KUBECONFIG CA-FILE READY-FILE`.

It follows Pods, namespaces and policies, and gives the kernel the rules that policies.py makes of them. Like the agent
of any network it is a moment behind: a Pod is isolated once its address stands in its status.
"""

import http.client
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.cluster.api import Api, Object
from tests.cluster.policies import ruleset

PATHS = ["/api/v1/pods", "/api/v1/namespaces", "/apis/networking.k8s.io/v1/networkpolicies"]
RETRY_SECONDS = 0.2
LOOK_SECONDS = 1.0


class Mirror:
    """All objects of one kind, kept as they are in the API server; when that is away, as they were."""

    def __init__(self, api: Api, path: str, changed: threading.Event) -> None:
        self._api = api
        self._path = path
        self._changed = changed
        self._objects: dict[str, Object] | None = None
        self.thread = threading.Thread(target=self._run, name=path, daemon=True)

    def objects(self) -> list[Object] | None:
        """A copy of what is known; None until there was a first answer."""
        known = self._objects
        return None if known is None else list(known.values())

    def _run(self) -> None:
        while True:
            try:
                self._follow(self._list())
            except (OSError, http.client.HTTPException):  # the API server is away, or has ended a quiet watch
                time.sleep(RETRY_SECONDS)

    def _list(self) -> str:
        answer = self._api.get(self._path)
        if answer.status != 200:
            raise OSError(f"GET {self._path}: {answer.status}")
        self._objects = {each["metadata"]["uid"]: each for each in answer.body["items"]}
        self._changed.set()
        return str(answer.body["metadata"]["resourceVersion"])

    def _follow(self, version: str) -> None:
        with self._api.watch(f"{self._path}?watch=true&resourceVersion={version}") as events:
            for event in events:
                changed, uid = event["object"], event["object"].get("metadata", {}).get("uid")
                if uid is None:  # an error: too much has changed meanwhile
                    return
                rest = {key: each for key, each in (self._objects or {}).items() if key != uid}
                self._objects = rest if event["type"] == "DELETED" else rest | {uid: changed}
                self._changed.set()


def apply(rules: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)


def main() -> None:
    kubeconfig, ca_file, ready_file = (Path(argument) for argument in sys.argv[1:])
    changed, applied = threading.Event(), ""
    mirrors = [Mirror(Api.of_kubeconfig(kubeconfig, ca_file), path, changed) for path in PATHS]
    for mirror in mirrors:
        mirror.thread.start()
    while all(mirror.thread.is_alive() for mirror in mirrors):
        if not changed.wait(LOOK_SECONDS):
            continue
        changed.clear()
        pods, namespaces, policies = (mirror.objects() for mirror in mirrors)
        if pods is None or namespaces is None or policies is None:
            continue
        if (rules := ruleset(pods, namespaces, policies)) != applied:
            apply(rules)
            applied = rules
            ready_file.touch()
    sys.exit("a watch has failed")


if __name__ == "__main__":
    main()
