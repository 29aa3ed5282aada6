"""What `faas up` claims about Kubernetes: its API server answers generated requests as the real one does."""

from collections.abc import Iterator

import pytest

from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.differential.accepted import ACCEPTED
from tests.cluster.differential.generate import Episode
from tests.cluster.differential.kinds import KINDS, Kind
from tests.cluster.differential.runner import run
from tests.support.apiserver import running_apiserver

EPISODES = 3  # of each kind
STEPS = 40  # of each episode, at least
DIFFERENCES_SHOWN = 40


@pytest.fixture(scope="module")
def our_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_apiserver(tmp_path_factory.mktemp("our-apiserver")) as server:
        api = Api(server.url, server.token, server.ca_file)
        yield api
        api.close()


@pytest.mark.parametrize("number", range(EPISODES))
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_both_servers_answer_alike(kind: Kind, number: int, bare_apiserver: ControlPlane, our_api: Api) -> None:
    episode = Episode(kind, number)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": episode.scope}}
    real_api = bare_apiserver.api()
    for api in (real_api, our_api):
        api.expect("POST", "/api/v1/namespaces", namespace)
    found = run(episode, episode.steps(STEPS), real_api, our_api)
    unlisted = [each for each in found if not any(accepted.covers(each) for accepted in ACCEPTED)]
    report = "\n".join(str(each) for each in unlisted[:DIFFERENCES_SHOWN])
    assert not unlisted, f"{len(unlisted)} differences that accepted.py does not list:\n{report}"
