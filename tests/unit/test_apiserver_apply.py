"""Server-side apply: laws of field sets, and who owns what after a series of applies and updates."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.local.apiserver import fieldsets
from cli.local.apiserver.apply import Manager, apply, track_update
from cli.local.apiserver.builtin import TYPES
from cli.local.apiserver.errors import StatusError

CONFIGMAP = TYPES.compiled("ConfigMap")
REPLICASET = TYPES.compiled("ReplicaSet")
ALICE, BOB = Manager("alice", "Apply", "v1"), Manager("bob", "Apply", "v1")
DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), min_size=1, max_size=4)


def config(**data: str) -> Any:
    return {"metadata": {"name": "c"}, "data": data}


def applied(live: Any, data: Any, manager: Manager = ALICE, *, force: bool = False, now: str = "t1") -> Any:
    live, wanted = copy.deepcopy(live), copy.deepcopy(config(**data))
    return apply(CONFIGMAP, live, wanted, manager, now, force=force)


def owners(obj: Any) -> dict[str, list[str]]:
    return {
        f"{entry['manager']}/{entry['operation']}": fieldsets.paths(fieldsets.from_fields_v1(entry["fieldsV1"]))
        for entry in obj["metadata"]["managedFields"]
    }


@given(DATA, DATA)
def test_sets_obey_the_laws_of_sets(left: Any, right: Any) -> None:
    a, b = fieldsets.fields_of(CONFIGMAP, config(**left)), fieldsets.fields_of(CONFIGMAP, config(**right))
    assert fieldsets.from_fields_v1(fieldsets.to_fields_v1(a)) == a
    assert set(fieldsets.paths(fieldsets.union(a, b))) == {*fieldsets.paths(a), *fieldsets.paths(b)}
    assert set(fieldsets.paths(fieldsets.intersection(a, b))) == set(fieldsets.paths(a)) & set(fieldsets.paths(b))
    assert set(fieldsets.paths(fieldsets.difference(a, b))) == set(fieldsets.paths(a)) - set(fieldsets.paths(b))
    assert fieldsets.difference(a, a) == {}


@given(DATA, DATA)
def test_one_manager_gets_exactly_what_it_last_applied(first: Any, second: Any) -> None:
    obj = applied(applied(None, first), second, now="t2")
    assert obj["data"] == second
    assert owners(obj) == {"alice/Apply": [f".data.{name}" for name in sorted(second)]}


@given(DATA, DATA)
def test_two_managers_get_both_or_a_conflict(first: Any, second: Any) -> None:
    obj = applied(None, first)
    clash = sorted(name for name in first.keys() & second.keys() if first[name] != second[name])
    if clash:
        with pytest.raises(StatusError) as caught:
            applied(obj, second, BOB)
        assert [cause["field"] for cause in (caught.value.details or {})["causes"]] == [
            f".data.{name}" for name in clash
        ]
        obj = applied(obj, second, BOB, force=True)
    else:
        obj = applied(obj, second, BOB)
    assert obj["data"] == first | second
    assert owners(obj)["bob/Apply"] == [f".data.{name}" for name in sorted(second)]
    kept = [f".data.{name}" for name in sorted(first) if name not in clash]
    assert owners(obj).get("alice/Apply", []) == kept


def test_what_nobody_else_sets_goes_with_the_manager_that_stops_setting_it() -> None:
    obj = applied(applied(None, {"a": "x", "b": "x"}), {"b": "x", "c": "x"}, BOB)
    obj = applied(obj, {"d": "x"})
    assert obj["data"] == {"b": "x", "c": "x", "d": "x"}, "b is still bob's"


def test_applying_the_same_again_changes_nothing() -> None:
    obj = applied(None, {"a": "x"})
    assert applied(obj, {"a": "x"}, now="t9") == obj


def test_an_update_takes_over_what_it_changes() -> None:
    before = applied(None, {"a": "x", "b": "x"})
    after = copy.deepcopy(before)
    after["data"] = {"a": "changed"}
    track_update(CONFIGMAP, before, after, Manager("carol", "Update", "v1"), "t2")
    assert owners(after) == {"carol/Update": [".data.a"]}
    with pytest.raises(StatusError) as caught:
        applied(after, {"a": "x"})
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "carol" using v1: .data.a'


def test_an_object_from_before_the_first_apply_belongs_to_a_manager_of_that_name() -> None:
    live = config(a="x", b="x")
    with pytest.raises(StatusError, match="before-first-apply"):
        applied(live, {"a": "y"})
    obj = applied(live, {"a": "y"}, force=True)
    assert obj["data"] == {"a": "y", "b": "x"}
    assert owners(obj)["before-first-apply/Update"] == [".data.b"]


def test_lists_with_keys_are_owned_item_by_item() -> None:
    def replicaset(*containers: Any) -> Any:
        return {"metadata": {"name": "r"}, "spec": {"template": {"spec": {"containers": list(containers)}}}}

    first = apply(REPLICASET, None, replicaset({"name": "a", "image": "1"}), ALICE, "t", force=False)
    both = apply(REPLICASET, first, replicaset({"name": "b", "image": "2"}), BOB, "t", force=False)
    assert [c["name"] for c in both["spec"]["template"]["spec"]["containers"]] == ["a", "b"]
    alone = apply(REPLICASET, both, replicaset({"name": "c", "image": "3"}), ALICE, "t", force=False)
    assert [c["name"] for c in alone["spec"]["template"]["spec"]["containers"]] == ["b", "c"]
