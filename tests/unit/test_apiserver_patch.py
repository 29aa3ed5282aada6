"""Laws and examples of the patches: RFC 6902, RFC 7386 and Kubernetes' strategic merge."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.local.apiserver.builtin import TYPES
from cli.local.apiserver.patch import PatchError, json_patch, merge_patch
from cli.local.apiserver.strategic import strategic_merge

SCALARS = st.one_of(st.booleans(), st.integers(-9, 9), st.text("ab", max_size=2))
NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)

RFC7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "patch", "expected"), RFC7386)
def test_merge_patch_examples_of_rfc_7386(target: Any, patch: Any, expected: Any) -> None:
    assert merge_patch(copy.deepcopy(target), patch) == expected


def difference(old: Any, new: Any) -> Any:
    """The merge patch that turns one object into another."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    gone = {name: None for name in old if name not in new}
    return gone | {
        name: difference(old.get(name), new[name]) for name in new if name not in old or old[name] != new[name]
    }


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_of_the_difference_gives_the_new_object(old: Any, new: Any) -> None:
    assert merge_patch(copy.deepcopy(old), difference(old, new)) == new


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_applied_twice_changes_nothing_more(target: Any, patch: Any) -> None:
    once = merge_patch(copy.deepcopy(target), copy.deepcopy(patch))
    assert merge_patch(copy.deepcopy(once), copy.deepcopy(patch)) == once


RFC6902 = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "qux"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    ({"foo": ["a", "b", "c"]}, [{"op": "move", "from": "/foo/1", "path": "/foo/2"}], {"foo": ["a", "c", "b"]}),
    ({"baz": "qux"}, [{"op": "test", "path": "/baz", "value": "qux"}], {"baz": "qux"}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc"]}], {"foo": ["bar", ["abc"]]}),
    ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
]


@pytest.mark.parametrize(("target", "patch", "expected"), RFC6902)
def test_json_patch_examples_of_rfc_6902(target: Any, patch: Any, expected: Any) -> None:
    assert json_patch(copy.deepcopy(target), patch) == expected


@pytest.mark.parametrize(
    "patch",
    [
        [{"op": "test", "path": "/a", "value": True}],
        [{"op": "test", "path": "/a", "value": "1"}],
        [{"op": "remove", "path": "/missing"}],
        [{"op": "replace", "path": "/missing", "value": 1}],
        [{"op": "add", "path": "/list/5", "value": 1}],
        [{"op": "add", "path": "/list/01", "value": 1}],
        [{"op": "add", "path": "a", "value": 1}],
        [{"op": "add", "path": "/missing/b", "value": 1}],
        [{"op": "add", "path": "/b"}],
        [{"op": "jump", "path": "/a"}],
        [{"op": "move", "from": "/map", "path": "/map/inner"}],
        [{"path": "/a"}],
        ["add"],
        {"op": "add"},
    ],
)
def test_json_patch_refuses(patch: Any) -> None:
    with pytest.raises(PatchError):
        json_patch({"a": 1, "list": [1, 2], "map": {"x": 1}}, patch)


@given(OBJECTS, NAMES, VALUES)
def test_add_then_remove_restores(target: Any, name: str, value: Any) -> None:
    path = f"/{name}{name}"
    patch = [{"op": "add", "path": path, "value": value}, {"op": "test", "path": path, "value": value}]
    assert json_patch(copy.deepcopy(target), [*patch, {"op": "remove", "path": path}]) == target


POD = TYPES.compiled("Pod")
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"image": st.text("xy", max_size=2), "workingDir": st.just("/")}),
    max_size=4,
    unique_by=lambda container: container["name"],
)


def pod(containers: Any, **spec: Any) -> Any:
    return {"spec": {"containers": containers, **spec}}


def strategic(target: Any, patch: Any) -> Any:
    return strategic_merge(POD, copy.deepcopy(target), copy.deepcopy(patch))


@given(CONTAINERS, CONTAINERS)
def test_strategic_merge_joins_lists_by_their_key(old: Any, new: Any) -> None:
    result = strategic(pod(old), pod(new))["spec"]["containers"]
    by_name = {container["name"]: container for container in result}
    assert len(by_name) == len(result)
    assert by_name.keys() == {container["name"] for container in [*old, *new]}
    before = {container["name"]: container for container in old}
    for container in new:
        assert by_name[container["name"]] == before.get(container["name"], {}) | container
    assert [c["name"] for c in result if c in old and c["name"] not in {n["name"] for n in new}] == [
        c["name"] for c in old if c["name"] not in {n["name"] for n in new}
    ]


@given(CONTAINERS, CONTAINERS)
def test_strategic_merge_applied_twice_changes_nothing_more(old: Any, new: Any) -> None:
    once = strategic(pod(old), pod(new))
    assert strategic(once, pod(new)) == once


@given(OBJECTS, OBJECTS)
def test_strategic_merge_without_known_lists_is_a_merge_patch(target: Any, patch: Any) -> None:
    wrapped, change = {"spec": {"securityContext": target}}, {"spec": {"securityContext": patch}}
    assert strategic(wrapped, change) == merge_patch(copy.deepcopy(wrapped), copy.deepcopy(change))


def test_strategic_directives() -> None:
    target = pod([{"name": "a", "image": "x"}, {"name": "b"}, {"name": "c"}], nodeSelector={"k": "v"})
    removed = strategic(target, {"spec": {"containers": [{"name": "b", "$patch": "delete"}]}})
    assert [c["name"] for c in removed["spec"]["containers"]] == ["a", "c"]
    replaced = strategic(target, {"spec": {"containers": [{"$patch": "replace"}, {"name": "z"}]}})
    assert replaced["spec"]["containers"] == [{"name": "z"}]
    assert strategic(target, {"spec": {"nodeSelector": {"$patch": "replace", "n": "w"}}})["spec"]["nodeSelector"] == {
        "n": "w"
    }
    assert strategic(target, {"spec": {"nodeSelector": {"$patch": "delete"}}})["spec"]["nodeSelector"] == {}


def test_strategic_order_and_primitive_lists() -> None:
    target = {"metadata": {"finalizers": ["x", "y"]}, **pod([{"name": "a"}, {"name": "b"}, {"name": "c"}])}
    order = {
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "a", "image": "i"}],
        }
    }
    assert [c["name"] for c in strategic(target, order)["spec"]["containers"]] == ["b", "c", "a"]
    assert strategic(target, {"metadata": {"finalizers": ["y", "z"]}})["metadata"]["finalizers"] == ["x", "y", "z"]
    gone = strategic(target, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}})
    assert gone["metadata"]["finalizers"] == ["y"]


def test_strategic_retain_keys() -> None:
    target = pod([], volumes=[{"name": "v", "emptyDir": {}}])
    patch = {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]}}
    assert strategic(target, patch)["spec"]["volumes"] == [{"name": "v", "secret": {"secretName": "s"}}]


@pytest.mark.parametrize(
    "patch",
    [{"spec": {"$patch": "sideways"}}, {"spec": {"containers": [{"image": "x"}]}}, {"spec": {"containers": ["x"]}}],
)
def test_strategic_merge_refuses(patch: Any) -> None:
    with pytest.raises(PatchError):
        strategic(pod([{"name": "a"}]), patch)
