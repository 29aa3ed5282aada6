"""What `faas up` claims about Kubernetes: its API server answers generated requests as the real one does."""

import time
from collections.abc import Iterator

import pytest

from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.differential.accepted import ACCEPTED
from tests.cluster.differential.custom import CUSTOM_KINDS, definitions
from tests.cluster.differential.generate import Episode
from tests.cluster.differential.kinds import KINDS, Kind
from tests.cluster.differential.runner import run
from tests.cluster.differential.steps import Step
from tests.support.apiserver import running_apiserver

EPISODES = 3  # of each kind by choice, besides one with every bad value
STEPS = 40  # of each episode, at least
DIFFERENCES_SHOWN = 40
ALL_KINDS = [*KINDS, *CUSTOM_KINDS]
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

Pair = tuple[Api, Api]  # the real server, ours


@pytest.fixture(scope="module")
def both(bare_apiserver: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_apiserver(tmp_path_factory.mktemp("our-apiserver")) as server:
        ours = Api(server.url, server.token, server.ca_file)
        for api in (bare_apiserver.api(), ours):
            for definition in definitions():
                api.expect("POST", DEFINITIONS, definition)
            for kind in CUSTOM_KINDS:
                wait_until_served(api, kind)
        yield bare_apiserver.api(), ours
        ours.close()


def wait_until_served(api: Api, kind: Kind) -> None:
    """A definition is accepted at once; its resources are served a moment later."""
    deadline = time.monotonic() + 20
    while (answer := api.get(kind.collection("default"))).status != 200:
        assert time.monotonic() < deadline, f"{api.url} does not serve {kind.plural}: {answer}"
        time.sleep(0.02)


def compare(episode: Episode, steps: list[Step], pair: Pair) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": episode.scope}}
    for api in pair:
        api.expect("POST", "/api/v1/namespaces", namespace)
    found = run(episode, steps, *pair)
    unlisted = [each for each in found if not any(accepted.covers(each) for accepted in ACCEPTED)]
    report = "\n".join(str(each) for each in unlisted[:DIFFERENCES_SHOWN])
    assert not unlisted, f"{len(unlisted)} differences that accepted.py does not list:\n{report}"


@pytest.mark.parametrize("number", range(EPISODES))
@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_both_servers_answer_alike(kind: Kind, number: int, both: Pair) -> None:
    episode = Episode(kind, number)
    compare(episode, episode.steps(STEPS), both)


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_both_servers_validate_alike(kind: Kind, both: Pair) -> None:
    episode = Episode(kind, EPISODES)
    compare(episode, episode.every_edit(), both)


def test_enough_requests_are_compared() -> None:
    chosen = sum(len(Episode(kind, number).steps(STEPS)) for kind in ALL_KINDS for number in range(EPISODES))
    edits = sum(len(Episode(kind, EPISODES).every_edit()) for kind in ALL_KINDS)
    assert chosen >= 1000
    assert edits >= 200
