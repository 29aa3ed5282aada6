"""The two API servers side by side, with the same definitions, and the comparisons made between them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.differential.compare import Difference
from tests.cluster.differential.custom import CUSTOM_KINDS, definitions
from tests.cluster.differential.generate import Episode
from tests.cluster.differential.kinds import KINDS, Kind
from tests.cluster.differential.runner import run
from tests.cluster.differential.steps import Step
from tests.support.apiserver import running_apiserver

EPISODES = 4  # of each kind by choice, besides one with every bad value
STEPS = 40  # of each episode by choice, at least
ALL_KINDS = [*KINDS, *CUSTOM_KINDS]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

Pair = tuple[Api, Api]  # the real server, ours


@contextmanager
def both_servers(directory: Path) -> Iterator[Pair]:
    """Runs a real API server and ours, alone, so that nothing happens that was not asked for."""
    plane = ControlPlane(directory / "real", controllers=False)
    try:
        plane.start()
        with running_apiserver(directory / "ours") as server:
            ours = Api(server.url, server.token, server.ca_file)
            for api in (plane.api(), ours):
                define(api)
            yield plane.api(), ours
            ours.close()
    finally:
        plane.stop()


def define(api: Api) -> None:
    """Creates the definitions and returns when their resources are served, a moment after they are accepted."""
    for definition in definitions():
        api.expect("POST", DEFINITIONS, definition)
    deadline = time.monotonic() + 60
    for kind in CUSTOM_KINDS:
        while (answer := api.get(kind.collection("default"))).status != 200:
            assert time.monotonic() < deadline, f"{api.url} does not serve {kind.plural}: {answer}"
            time.sleep(0.02)


def compare_choices(kind: Kind, number: int, pair: Pair) -> list[Difference]:
    """Returns the differences in an episode of requests chosen by the kind and the number."""
    episode = Episode(kind, number)
    return compare(episode, episode.steps(STEPS), pair)


def compare_bad_values(kind: Kind, pair: Pair) -> list[Difference]:
    """Returns the differences in creations with each bad value that is known for the kind."""
    episode = Episode(kind, EPISODES)
    return compare(episode, episode.every_edit(), pair)


def request_count() -> int:
    """Returns how many requests a whole comparison sends to each server, watches not counted."""
    chosen = sum(len(Episode(kind, number).steps(STEPS)) for kind in ALL_KINDS for number in range(EPISODES))
    return chosen + sum(len(Episode(kind, EPISODES).every_edit()) for kind in ALL_KINDS)


def compare(episode: Episode, steps: list[Step], pair: Pair) -> list[Difference]:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": episode.scope}}
    for api in pair:
        api.expect("POST", "/api/v1/namespaces", namespace)
    return run(episode, steps, *pair)
