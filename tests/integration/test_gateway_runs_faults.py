"""A killed workflow service answers nothing: what it was asked is asked of another before the caller gives up."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.contracts.errors import Code, FaasError
from services.contracts.runs import RunView
from tests.support.bus import Bus, running_bus
from tests.support.gateway import Gateway, error_of, running_gateway
from tests.support.runs import Service, running_service, view

NAMESPACE = "/api/v1/namespaces/default"
START = f"{NAMESPACE}/workflows/flow/runs"
ASKED_AGAIN = 6.0
"""Seconds by which another has been asked: a silent owner has lost its runs after 1.5 s; the rest is noise."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Bus]]:
    with running_bus(tmp_path_factory.mktemp("bus")) as bus, running_gateway(bus.directory, bus) as gateway:
        yield gateway, bus


@pytest.fixture
def service(gateway: tuple[Gateway, Bus]) -> Iterator[Service]:
    with running_service(gateway[1]) as service:
        yield service


@pytest.mark.parametrize("lost", ["start", "wait"])
def test_a_question_that_died_with_its_service_is_asked_again(
    gateway: tuple[Gateway, Bus], service: Service, lost: str
) -> None:
    verbs: list[str] = []

    def answer(verb: str, status: str) -> Any:
        def made(message: Any) -> RunView | None:
            verbs.append(verb)
            return None if verb == lost and verbs.count(verb) == 1 else view(status=status)

        return made

    service.answers |= {"start": answer("start", "running"), "wait": answer("wait", "completed")}
    began = time.monotonic()
    answered = gateway[0].request("POST", START, headers={"Prefer": "wait=10"}, timeout=30)
    assert (answered.status, time.monotonic() - began < ASKED_AGAIN) == (200, True), answered
    assert sorted(verbs) == sorted(["start", "wait", lost])


def test_a_wait_that_nobody_answers_ends_soon_after_its_time(gateway: tuple[Gateway, Bus], service: Service) -> None:
    service.answers |= {"start": lambda message: view(), "wait": lambda message: None}
    began = time.monotonic()
    answered = gateway[0].request("GET", f"{NAMESPACE}/runs/r1", headers={"Prefer": "wait=1"}, timeout=30)
    assert error_of(answered) == (503, "no_workflow_service")
    assert time.monotonic() - began < ASKED_AGAIN


def test_a_start_that_nobody_answers_says_how_it_is_asked_again_safely(
    gateway: tuple[Gateway, Bus], service: Service
) -> None:
    service.answers["start"] = lambda message: None
    answered = gateway[0].request("POST", START, timeout=30)
    assert error_of(answered) == (503, "no_workflow_service")
    asked = {json.loads(message.data)["id"] for message in service.asked}
    assert len(asked) == 1
    assert f"the same request with ?id={asked.pop()}" in json.loads(answered.body)["message"]


@pytest.mark.parametrize("refusal", [None, FaasError(Code.DRAINING, "stopping"), FaasError(Code.INTERNAL, "defect")])
def test_who_started_a_run_is_told_its_name_whatever_becomes_of_the_wait(
    gateway: tuple[Gateway, Bus], service: Service, refusal: FaasError | None
) -> None:
    def wait(message: Any) -> None:
        if refusal is not None:
            raise refusal

    service.answers |= {"start": lambda message: view(json.loads(message.data)["id"]), "wait": wait}
    answered = gateway[0].request("POST", START + "?id=mine", headers={"Prefer": "wait=1"}, timeout=30)
    assert (answered.status, answered.headers["location"]) == (202, f"{NAMESPACE}/runs/mine"), answered
    assert json.loads(answered.body)["run"]["status"] == "running"
