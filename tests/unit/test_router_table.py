"""The route table: who can be called follows the watch at once, by UID."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.names import FunctionRef
from services.router.podclient import PodPool
from services.router.table import Pod, Route, RouteTable, Target, Update
from tests.support.router import function, pod

ADD = FunctionRef("default", "add")


def no_pool(host: str, port: int) -> PodPool:
    """The table never opens a connection: None stands for the pool that it passes on."""
    return msgspec.convert(None, Any)


def table() -> RouteTable:
    """An empty table."""
    return RouteTable(no_pool)


def choices(route: Route) -> set[str]:
    """Names of the Pods among which the choice is made."""
    return {target.name for target in route.targets.values() if target in route.balance}


def only(update: Update) -> Target:
    """The one Pod of the one route of an update."""
    (route,) = update.routes
    (target,) = route.targets.values()
    return target


def test_a_pod_is_callable_while_it_is_ready() -> None:
    routes = table()
    target = only(routes.put_pod(pod(("10.0.0.1", 8080), "p", "u", ready=False)))
    assert (target.host, target.port, target.revision, target.callable) == ("10.0.0.1", 8080, "r1", False)
    assert routes.put_pod(pod(("10.0.0.1", 8080), "p", "u", ready=True)).removed == []
    assert target.callable
    assert target.route.callable
    routes.put_pod(pod(("10.0.0.1", 8080), "p", "u", ready=False))
    assert not target.callable
    assert choices(target.route) == set()


@pytest.mark.parametrize("end", ["deleted", "Succeeded", "Failed", "no address", "no such address", "removed"])
def test_a_pod_leaves_at_once(end: str) -> None:
    routes = table()
    target = only(routes.put_pod(pod(("10.0.0.1", 8080), "p", "u")))
    gone = pod(("10.0.0.1", 8080), "p", "u", deleted=end == "deleted")
    if end in ("Succeeded", "Failed"):
        gone.status.phase = end
    elif end.startswith("no "):
        gone.status.pod_ip = "" if end == "no address" else "pod.example"
    update = routes.remove_pod(gone) if end == "removed" else routes.put_pod(gone)
    assert update.removed == [target]
    assert target.gone
    assert not target.callable
    assert not target.route.targets


def test_a_recreated_name_is_another_pod() -> None:
    routes = table()
    routes.put_function(function())
    old = only(routes.put_pod(pod(("10.0.0.1", 8080), "p", "old")))
    route = old.route
    update = routes.put_pod(pod(("10.0.0.2", 8080), "p", "new"))
    assert update.removed == [old]
    assert list(route.targets) == ["new"]
    assert routes.remove_pod(pod(("10.0.0.1", 8080), "p", "old")).removed == []
    assert list(route.targets) == ["new"], "a late word about the old one does not touch the new one"


def test_calls_go_to_the_revision_of_the_function_and_without_any_pod_of_it_to_others() -> None:
    routes = table()
    route = routes.put_function(function(revision="r1"))
    assert route is not None
    routes.put_pod(pod(("10.0.0.1", 1), "one", revision="r1"))
    routes.put_pod(pod(("10.0.0.2", 1), "two", revision="r2"))
    assert choices(route) == {"one"}
    routes.put_function(function(revision="r2"))
    assert choices(route) == {"two"}
    routes.put_function(function(revision="r3"))
    assert choices(route) == {"one", "two"}
    routes.put_pod(pod(("10.0.0.3", 1), "three", revision="r3", ready=False))
    assert choices(route) == {"one", "two"}


def test_what_the_router_found_out_itself_holds_until_the_watch_changes_its_word() -> None:
    routes = table()
    target = only(routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=False)))
    target.probed = True
    routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=False))
    assert target.callable, "the same word again is not news"
    routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=True))
    routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=False))
    assert not target.callable
    routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=True))
    target.suspect = True
    routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=True))
    assert not target.callable
    routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=False))
    routes.put_pod(pod(("10.0.0.1", 1), "p", "u", ready=True))
    assert target.callable


def test_a_new_address_or_function_makes_it_another_target() -> None:
    routes = table()
    routes.put_function(function())
    first = only(routes.put_pod(pod(("10.0.0.1", 1), "p", "u")))
    update = routes.put_pod(pod(("10.0.0.2", 1), "p", "u"))
    assert update.removed == [first]
    second = only(update)
    assert second.host == "10.0.0.2"
    update = routes.put_pod(pod(("10.0.0.2", 1), "p", "u", function="other"))
    assert update.removed == [second]
    assert [route.key for route in update.routes] == ["default/other", "default/add"]
    assert not routes.routes[ADD].targets


def test_routes_are_dropped_when_nothing_is_left_of_them() -> None:
    routes = table()
    routes.put_function(function())
    one = pod(("10.0.0.1", 1), "p", "u")
    routes.put_pod(one)
    assert set(routes.by_subject) == {"faas.invoke.default.add"}
    routes.remove_function(ADD)
    assert not routes.by_subject
    assert set(routes.routes) == {ADD}, "its Pods are still there"
    routes.remove_pod(one)
    assert not routes.routes


def test_names_that_cannot_be_tokens_are_left_out() -> None:
    routes = table()
    assert routes.put_function(function("a.b")) is None
    routes.put_pod(pod(("10.0.0.1", 1), function="*"))
    assert not routes.routes


def test_the_default_port_is_8080() -> None:
    document = {
        "metadata": {"name": "p", "namespace": "default", "uid": "u", "labels": {"faas.dev/function": "add"}},
        "status": {"podIP": "10.0.0.1"},
    }
    assert only(table().put_pod(msgspec.convert(document, Pod))).port == 8080


STATES = st.tuples(
    st.sampled_from(["a", "b"]), st.integers(0, 2), st.sampled_from(["add", "sub", ""]), st.booleans(),
    st.sampled_from(["10.0.0.1", "10.0.0.2", ""]), st.sampled_from(["put", "put", "put", "deleting", "remove"]),
)  # fmt: skip


@given(st.lists(STATES, max_size=60))
def test_any_history_leaves_exactly_the_ready_pods(
    history: list[tuple[str, int, str, bool, str, str]],
) -> None:
    """The model: the last word of each name's newest UID, whatever came before."""
    routes = table()
    last: dict[str, tuple[str, str, bool] | None] = {}
    uids: dict[str, str] = {}
    for name, generation, of, ready, host, step in history:
        uid = f"{name}-{generation}"
        one = pod((host, 1), name, uid, function=of, ready=ready, deleted=step == "deleting")
        if step == "remove":
            routes.remove_pod(one)
            if uids.get(name) == uid:
                last[name] = None
        else:
            routes.put_pod(one)
            uids[name] = uid
            last[name] = (of, uid, ready) if step == "put" and host and of else None
    expected = {(of, uid, ready) for one in last.values() if one is not None for of, uid, ready in [one]}
    found = {
        (target.route.ref.name, target.uid, target.callable)
        for route in routes.routes.values()
        for target in route.targets.values()
    }
    assert found == expected
    for route in routes.routes.values():
        assert route.callable == any(target.callable for target in route.targets.values())
        assert all((target in route.balance) == target.callable for target in route.targets.values())
