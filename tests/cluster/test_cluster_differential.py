"""What `faas up` claims about Kubernetes: its API server answers generated requests as the real one does."""

from collections.abc import Iterator

import pytest

from tests.cluster.differential.accepted import accepted_by
from tests.cluster.differential.compare import Difference
from tests.cluster.differential.generate import Episode
from tests.cluster.differential.kinds import Kind
from tests.cluster.differential.servers import (
    ALL_KINDS,
    EPISODES,
    STEPS,
    Pair,
    both_servers,
    compare_bad_values,
    compare_choices,
)

DIFFERENCES_SHOWN = 40


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with both_servers(tmp_path_factory.mktemp("differential")) as pair:
        yield pair


def assert_none_unlisted(found: list[Difference]) -> None:
    unlisted = [each for each in found if accepted_by(each) is None]
    report = "\n".join(str(each) for each in unlisted[:DIFFERENCES_SHOWN])
    assert not unlisted, f"{len(unlisted)} differences that accepted.py does not list:\n{report}"


@pytest.mark.parametrize("number", range(EPISODES))
@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_both_servers_answer_alike(kind: Kind, number: int, pair: Pair) -> None:
    assert_none_unlisted(compare_choices(kind, number, pair))


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_both_servers_validate_alike(kind: Kind, pair: Pair) -> None:
    assert_none_unlisted(compare_bad_values(kind, pair))


def test_enough_requests_are_compared() -> None:
    chosen = sum(len(Episode(kind, number).steps(STEPS)) for kind in ALL_KINDS for number in range(EPISODES))
    edits = sum(len(Episode(kind, EPISODES).every_edit()) for kind in ALL_KINDS)
    assert chosen >= 1000
    assert edits >= 200
