"""What `faas up` claims about Kubernetes: its API server answers generated requests as the real one does."""

from collections.abc import Iterator

import pytest

from tests.cluster.api import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from tests.cluster.differential.accepted import ACCEPTED, accepted_by
from tests.cluster.differential.compare import Difference
from tests.cluster.differential.custom import CUSTOM_KINDS
from tests.cluster.differential.document import DOCUMENT, document
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
    request_count,
)

DIFFERENCES_SHOWN = 40


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with both_servers(tmp_path_factory.mktemp("differential")) as pair:
        yield pair


@pytest.fixture(scope="module")
def comparisons() -> list[list[Difference]]:
    """What each comparison of this run found."""
    return []


def assert_none_unlisted(found: list[Difference]) -> None:
    unlisted = [each for each in found if accepted_by(each) is None]
    report = "\n".join(str(each) for each in unlisted[:DIFFERENCES_SHOWN])
    assert not unlisted, f"{len(unlisted)} differences that accepted.py does not list:\n{report}"


@pytest.mark.parametrize("number", range(EPISODES))
@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_both_servers_answer_alike(kind: Kind, number: int, pair: Pair, comparisons: list[list[Difference]]) -> None:
    comparisons.append(compare_choices(kind, number, pair))
    assert_none_unlisted(comparisons[-1])


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_both_servers_validate_alike(kind: Kind, pair: Pair, comparisons: list[list[Difference]]) -> None:
    comparisons.append(compare_bad_values(kind, pair))
    assert_none_unlisted(comparisons[-1])


def test_no_accepted_difference_is_gone(comparisons: list[list[Difference]]) -> None:
    """What has become equal leaves the list and the document."""
    if len(comparisons) < len(ALL_KINDS) * (EPISODES + 1):
        pytest.skip("only some of the comparisons were made")
    seen = {accepted.title for found in comparisons for each in found if (accepted := accepted_by(each))}
    assert [each.title for each in ACCEPTED if each.title not in seen] == []


def test_the_document_is_the_list() -> None:
    assert DOCUMENT.read_text() == document(), "run python -m tests.cluster.differential.document"


def test_enough_requests_are_compared() -> None:
    assert request_count() >= 1000


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_every_verb_is_tried_on_every_kind(kind: Kind) -> None:
    """They are chosen: other numbers of episodes or steps could leave one out. A watch goes along with each episode."""
    steps = [step for number in range(EPISODES) for step in Episode(kind, number).steps(STEPS)]
    tried = {step.content_type if step.method == "PATCH" else step.method for step in steps}
    needed = {"GET", "POST", "PUT", "DELETE", JSON_PATCH, MERGE_PATCH} | ({APPLY_PATCH} if kind.deleted else set())
    assert tried >= needed | ({STRATEGIC_PATCH} if kind.strategic and kind not in CUSTOM_KINDS else set())
    whats = {step.what for step in steps}
    assert whats >= {"list nothing", "get", "create"}
    assert whats & {"list by labels", "list by fields"}
    assert not kind.status or whats >= {"get the status", "patch the status"}
    assert not kind.scale or whats >= {"get the scale", "set the scale", "patch the scale"}
