"""From a Function to its ReplicaSets: deploys, updates, failures, zero; each from the objects alone."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scaler.actions import CreateReplicaSet, DeleteReplicaSet, PatchStatus, ScaleReplicaSet
from services.scaler.status import may_wait
from tests.support.world import CRASHED, READY, STARTING, World, make_function, make_pod

NEW = {"inline": {"main.py": "x = 2"}}


def deployed(replicas: int = 1, **spec: Any) -> World:
    world = World(make_function(**spec))
    world.settle(replicas)
    return world


def test_a_new_function_starts_one_pod_to_show_that_it_can() -> None:
    world = World(make_function())
    world.outcomes[world.hash] = STARTING
    actions = world.step(0)
    assert isinstance(actions[0], CreateReplicaSet)
    assert actions[0].body["spec"]["replicas"] == 1
    assert world.function.status.revision == world.hash, "nothing runs, so traffic may go there at once"
    assert world.condition("Ready") == ("Unknown", "Starting")
    world.outcomes.clear()
    world.settle(1)
    assert world.condition("Ready") == ("True", "PodsReady")
    assert world.condition("Progressing") == ("True", "Complete")
    assert (world.function.status.replicas, world.function.status.ready_replicas) == (1, 1)
    assert world.function.status.observed_generation == 1


def test_at_rest_nothing_is_written() -> None:
    world = deployed()
    assert world.plan(1) == []


def test_zero_stays_ready() -> None:
    world = deployed()
    world.settle(0)
    assert world.condition("Ready") == ("True", "ScaledToZero")
    assert world.replicas == {world.hash: 0}
    world.outcomes[world.hash] = STARTING
    world.step(1)
    world.step(1)
    assert world.condition("Ready") == ("True", "Starting"), "a proven function stays callable while it wakes"


def test_scale_settings_make_no_revision() -> None:
    world = deployed()
    before = world.hash
    assert world.deploy(scale={"min": 1, "max": 5}, coldStart="Wait", idempotent=True) == before
    world.settle(1)
    assert list(world.replicas) == [before]
    assert world.function.status.observed_generation == 2


def test_an_update_moves_traffic_when_the_new_revision_is_ready_then_drains_the_old() -> None:
    world = deployed(3)
    old, new = world.hash, world.deploy(source=NEW)
    world.outcomes[new] = STARTING
    world.step(3)
    world.step(3)
    assert world.replicas == {old: 3, new: 3}, "as many as the load needs"
    assert world.function.status.revision == old
    assert world.condition("Progressing") == ("True", "Updating")
    assert world.condition("Ready") == ("True", "PodsReady")
    world.outcomes.clear()
    world.step(3)
    world.step(3, drained=False)
    assert world.function.status.revision == new
    world.step(3, drained=False)
    assert world.replicas == {old: 3, new: 3}, "routers have not seen the move yet"
    assert world.condition("Progressing") == ("True", "Draining")
    world.settle(3)
    assert world.replicas == {new: 3}
    assert [type(a) for a in world.done if not isinstance(a, PatchStatus)][-2:] == [ScaleReplicaSet, DeleteReplicaSet]


def test_under_load_one_ready_pod_is_not_enough() -> None:
    world = deployed(3)
    world.held = 25
    new = world.deploy(source=NEW)
    world.outcomes[new] = STARTING
    world.step(3)
    world.pods[new][0] = make_pod(new, "p0", **READY)
    assert not [a for a in world.plan(3) if isinstance(a, PatchStatus) and a.status.revision == new]
    world.pods[new] = [make_pod(new, f"p{i}", **READY) for i in range(3)]
    assert [a for a in world.plan(3) if isinstance(a, PatchStatus) and a.status.revision == new]


def test_ready_pods_do_not_wait_for_one_that_cannot_start() -> None:
    world = deployed(3)
    world.held = 25
    new = world.deploy(source=NEW)
    world.outcomes[new] = STARTING
    world.step(3)
    unschedulable = {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}
    world.pods[new] = [make_pod(new, "p0", **READY), make_pod(new, "p1", **unschedulable)]
    assert [a for a in world.plan(3) if isinstance(a, PatchStatus) and a.status.revision == new]


def test_a_new_revision_that_cannot_start_leaves_the_old_one_serving() -> None:
    world = deployed(2)
    old, new = world.hash, world.deploy(source=NEW)
    world.outcomes[new] = CRASHED
    for _ in range(5):
        world.step(2)
    assert world.function.status.revision == old
    assert world.condition("Ready") == ("True", "PodsReady")
    assert world.condition("Progressing") == ("False", "CrashLoopBackOff")
    message = next(c.message for c in world.function.status.conditions if c.type == "Progressing")
    assert message == "no module"


def test_a_failed_update_survives_zero_and_the_old_revision_is_what_wakes() -> None:
    world = deployed(1)
    old, new = world.hash, world.deploy(source=NEW)
    world.outcomes[new] = CRASHED
    for _ in range(3):
        world.step(1)
    world.settle(0)
    assert world.replicas == {old: 0, new: 0}
    assert world.function.status.revision == old
    assert world.condition("Ready") == ("True", "ScaledToZero")
    assert world.condition("Progressing") == ("False", "CrashLoopBackOff")
    world.step(1)
    assert world.replicas == {old: 1, new: 1}, "use makes it try again"
    world.outcomes.clear()
    world.settle(1)
    assert world.replicas == {new: 1}
    assert world.condition("Progressing") == ("True", "Complete")


def test_at_zero_a_new_revision_is_recorded_at_once_and_proven() -> None:
    world = deployed(1)
    old = world.hash
    world.settle(0)
    new = world.deploy(source=NEW)
    world.outcomes[new] = STARTING
    world.step(0)
    assert world.function.status.revision == new
    assert world.replicas == {old: 0, new: 1}
    assert world.condition("Ready") == ("Unknown", "Starting")
    world.outcomes.clear()
    world.settle(1)
    assert world.replicas == {new: 1}
    assert world.condition("Ready") == ("True", "PodsReady")


def test_a_fix_replaces_what_never_worked() -> None:
    world = World(make_function())
    broken = world.hash
    world.outcomes[broken] = CRASHED
    world.settle(1)
    assert world.condition("Ready") == ("False", "CrashLoopBackOff")
    fixed = world.deploy(source=NEW)
    world.settle(1)
    assert world.replicas == {fixed: 1}
    assert world.condition("Ready") == ("True", "PodsReady")


def test_a_failed_start_outlives_its_pods_until_one_works() -> None:
    world = World(make_function())
    world.outcomes[world.hash] = CRASHED
    world.settle(1)
    world.settle(0)
    assert world.condition("Ready") == ("False", "CrashLoopBackOff")
    world.outcomes[world.hash] = STARTING
    world.settle(1)
    assert world.condition("Ready") == ("False", "CrashLoopBackOff"), "starting is not working"
    world.outcomes.clear()
    world.settle(1)
    assert world.condition("Ready") == ("True", "PodsReady")


def test_going_back_uses_the_revision_that_is_still_there() -> None:
    world = deployed(2)
    first = world.hash
    second = world.deploy(source=NEW)
    world.outcomes[second] = STARTING
    world.step(2)
    assert world.deploy(source={"inline": {"main.py": "x = 1"}}) == first
    world.settle(2)
    assert world.replicas == {first: 2}
    assert world.function.status.revision == first


def test_updates_in_a_row_leave_one_revision() -> None:
    world = deployed(2)
    for number in range(4):
        world.deploy(source={"inline": {"main.py": f"x = {number + 10}"}})
        world.step(2)
    world.settle(2)
    assert world.replicas == {world.hash: 2}


def test_a_replica_set_that_somebody_deleted_comes_back_as_it_should_be() -> None:
    world = deployed(2)
    world.replica_sets.clear()
    world.pods.clear()
    world.settle(2)
    assert world.replicas == {world.hash: 2}
    world.settle(0)
    world.replica_sets.clear()
    world.settle(0)
    assert world.replicas == {world.hash: 0}, "it has been shown to start, so nothing is started for that"


def test_an_impossible_spec_says_so_and_leaves_what_serves() -> None:
    world = World(make_function())
    world.deploy(image="also/this")
    world.settle(0)
    assert world.replicas == {}
    assert world.condition("Ready") == ("False", "InvalidSpec")
    serving = deployed(1)
    serving.deploy(timeout="9h")
    serving.settle(1)
    assert serving.condition("Ready") == ("True", "PodsReady")
    assert serving.condition("Progressing") == ("False", "InvalidSpec")
    assert list(serving.replicas.values()) == [1]


def test_a_decision_is_bound_to_the_version_it_was_made_on() -> None:
    world = deployed(1)
    version = world.replica_sets[world.hash].metadata.resource_version
    scale = [a for a in world.plan(4) if isinstance(a, ScaleReplicaSet)]
    assert scale == [ScaleReplicaSet("default", f"add-{world.hash}", version, 4, 1, "load")]
    world.deploy(source=NEW)
    (status,) = [a for a in world.plan(1) if isinstance(a, PatchStatus)]
    assert status.resource_version == world.function.metadata.resource_version


def test_times_change_only_with_the_status() -> None:
    world = deployed(1)
    before = {c.type: c.last_transition_time for c in world.function.status.conditions}
    assert before == dict.fromkeys(("Ready", "Progressing"), "2027-01-15T08:00:00Z")
    world.settle(0)
    assert {c.type: c.last_transition_time for c in world.function.status.conditions} == before


OUTCOMES: dict[str, dict[str, Any]] = {"crash": CRASHED, "work": READY, "slow": STARTING}
STEPS = st.lists(
    st.tuples(st.sampled_from(["deploy", "old", "step", "undrained", "crash", "work", "slow"]), st.integers(0, 5)),
    max_size=25,
)


@given(STEPS)
def test_any_course_ends_with_the_spec_served(course: list[tuple[str, int]]) -> None:
    world = World(make_function())
    outcome: dict[str, Any] = READY
    for what, number in course:
        outcome = OUTCOMES.get(what, outcome)
        if what in ("deploy", "old"):
            world.deploy(source={"inline": {"main.py": f"x = {number}"}})
        world.outcomes = dict.fromkeys([*world.replica_sets, world.hash], outcome)
        served = bool(world.function.status.ready_replicas and any(world.replicas.values()))
        world.step(number, drained=what != "undrained")
        serving = world.function.status.revision
        assert serving in world.replica_sets, "traffic goes to something that is there"
        assert not served or number == 0 or any(world.replicas.values()), "never without Pods under load"
    world.outcomes = {}
    world.settle(1)
    assert world.replicas == {world.hash: 1}
    assert world.function.status.revision == world.hash
    assert world.condition("Ready") == ("True", "PodsReady")
    assert world.condition("Progressing") == ("True", "Complete")


@pytest.mark.parametrize("replicas", [0, 1, 5])
def test_the_plan_is_pure(replicas: int) -> None:
    world = deployed(2)
    world.deploy(source=NEW)
    assert world.plan(replicas) == world.plan(replicas)


def test_only_numbers_and_reasons_may_wait() -> None:
    world = deployed(1)
    ready = world.function.status
    world.settle(0)
    asleep = world.function.status
    assert may_wait(ready, asleep)
    assert not may_wait(ready, msgspec.structs.replace(ready, revision="another"))
    assert not may_wait(ready, msgspec.structs.replace(ready, observed_generation=2))
    world.outcomes[world.deploy(source=NEW)] = CRASHED
    world.settle(1)
    assert not may_wait(asleep, world.function.status)
