"""Sends an episode to both servers and returns where they differ: in answers, in live events, in replayed events."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.cluster.api import Answer, Api, Object
from tests.cluster.differential.compare import Difference, differences
from tests.cluster.differential.generate import FIRST, LAST, Episode
from tests.cluster.differential.normalise import Normaliser
from tests.cluster.differential.steps import Server, Step

EVENTS_AT_MOST = 1000  # of one watch: more means that the last object's event never came


class Side:
    """One of the two servers, with what it says in its own words and how that reads normalised."""

    def __init__(self, api: Api, episode: Episode) -> None:
        self.server = Server(api, {"namespace": episode.scope})
        self.normaliser = Normaliser(episode.scope)

    def replay(self, episode: Episode, query: str) -> list[Object]:
        """Returns the events since the episode's first step, as a watch that begins now replays them."""
        with self.server.api.watch(self._watch_path(episode, query)) as events:
            return self.until_last(events)

    def live(self, episode: Episode, stack: ExitStack) -> Iterator[Object]:
        """Opens a watch that stays open while the steps are made."""
        return stack.enter_context(self.server.api.watch(self._watch_path(episode, "")))

    def until_last(self, events: Iterator[Object]) -> list[Object]:
        """Reads to the event of the episode's last object and returns the normalised events of its own objects."""
        seen = []
        for event, _ in zip(events, range(EVENTS_AT_MOST), strict=False):
            metadata = event["object"].get("metadata", {})
            if event["type"] == "ERROR" or self.normaliser.mine(event["object"]):
                seen.append(self.normaliser.event(event))
            if event["type"] == "ERROR" or str(metadata.get("name", "")).endswith(LAST):
                break
        return seen

    def _watch_path(self, episode: Episode, query: str) -> str:
        start = f"resourceVersion=${{{FIRST}.resourceVersion}}"
        return str(self.server.filled(f"{episode.collection}?watch=1&timeoutSeconds=60&{start}{query}"))


def run(episode: Episode, steps: list[Step], real_api: Api, our_api: Api) -> list[Difference]:
    """Makes all steps on both servers, one by one, and returns every difference."""
    real, ours = Side(real_api, episode), Side(our_api, episode)
    found: list[Difference] = []
    kind = episode.kind.name
    apart: set[object] = set()  # names that exist on one server only, after a difference that was reported
    with ExitStack() as stack:
        watches = []
        for index, step in enumerate(steps):
            answers = [side.server.perform(step) for side in (real, ours)]
            found += compare_answers(episode, step, [real, ours], answers, apart)
            if index == 0:
                watches = [side.live(episode, stack) for side in (real, ours)]
        live = [side.until_last(events) for side, events in zip((real, ours), watches, strict=True)]
    found += compare_events(kind, "watch as it happens", live, apart)
    for what, query in (("watch the past", ""), ("watch by labels", "&labelSelector=tier%20notin%20(a)")):
        found += compare_events(kind, what, [side.replay(episode, query) for side in (real, ours)], apart)
    return found


def compare_answers(
    episode: Episode, step: Step, sides: list[Side], answers: list[Answer], apart: set[object]
) -> list[Difference]:
    name = subject_of(step, episode.collection)
    if name in apart:
        return []
    shown = [side.normaliser.answer(answer) for side, answer in zip(sides, answers, strict=True)]
    if (answers[0].status < 300) != (answers[1].status < 300):
        apart.add(name)
        shown = [{"code": each["code"], "reason": each.get("reason")} for each in shown]
    for each in shown:
        if "list" in each:
            each["list"]["items"] = [item for item in each["list"]["items"] if name_of(item) not in apart]
        if "table" in each:
            each["table"]["rows"] = [row for row in each["table"]["rows"] if row[0] not in apart]
    return differences(episode.kind.name, step.what, *shown)


def subject_of(step: Step, collection: str) -> object:
    """Returns the name of the object that the step is about, None for one about all."""
    rest = step.path.removeprefix(collection).partition("?")[0]
    if rest:
        return rest.split("/")[1]
    return name_of(step.body) if isinstance(step.body, dict) else None


def compare_events(kind: str, what: str, sequences: list[list[Object]], apart: set[object]) -> list[Difference]:
    real, ours = ([event for event in each if name_of(event["object"]) not in apart] for each in sequences)
    order = [[f"{event['type']} {name_of(event['object'])}" for event in each] for each in (real, ours)]
    if order[0] != order[1]:
        return [Difference(kind, what, "events", order[0], order[1])]
    return differences(kind, what, real, ours)


def name_of(body: Object) -> object:
    return body.get("metadata", {}).get("name")
