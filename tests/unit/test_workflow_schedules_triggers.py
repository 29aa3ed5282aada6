"""When scheduled runs begin: on virtual time, since it is a function of the last time and now."""

from datetime import UTC, datetime

import pytest

from services.contracts.names import is_label
from services.contracts.workflow import parse
from services.workflow.schedules.triggers import (
    Trigger,
    event_run_id,
    first_time,
    next_time,
    run_id,
    triggers_of,
)
from tests.support.workflows import definition


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def text(moment: float | None) -> str:
    assert moment is not None
    return datetime.fromtimestamp(moment, UTC).isoformat().removesuffix("+00:00")


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        ("0 0 * * *", "2026-01-31T00:00:00", "2026-02-01T00:00:00"),
        ("0 0 * * *", "2026-01-31T23:59:59.999", "2026-02-01T00:00:00"),
        ("*/15 * * * *", "2026-03-29T01:07:00", "2026-03-29T01:15:00"),
        ("30 2 * * *", "2026-03-28T03:00:00", "2026-03-29T02:30:00"),  # UTC: an hour that Europe skips
        ("0 9 * * 1-5", "2026-11-20T09:00:00", "2026-11-23T09:00:00"),
        ("0 12 29 2 *", "2026-03-01T00:00:00", "2028-02-29T12:00:00"),
        ("5 4 1 JAN *", "2026-11-22T00:00:00", "2027-01-01T04:05:00"),
    ],
)
def test_cron(cron: str, after: str, expected: str) -> None:
    trigger = Trigger("cron", cron)
    assert text(first_time(trigger, at(after))) == expected
    assert text(next_time(trigger, at(after), at(after))) == expected


def test_a_year_of_cron_has_each_time_once() -> None:
    trigger, now, found = Trigger("cron", "0 */6 * * *"), at("2026-01-01T00:00:00"), 0
    while (moment := next_time(trigger, now, now)) is not None and moment < at("2027-01-01T00:00:00"):
        assert 0 < moment - now <= 6 * 3600
        now, found = moment, found + 1
    assert found == 365 * 4 - 1


def test_cron_times_that_nobody_saw_are_left_out_but_the_first() -> None:
    trigger = Trigger("cron", "0 * * * *")
    assert text(next_time(trigger, at("2026-01-01T01:00:00"), at("2026-01-01T05:20:00"))) == "2026-01-01T06:00:00"


def test_a_cron_expression_that_never_comes() -> None:
    assert first_time(Trigger("cron", "0 0 30 2 *"), at("2026-01-01T00:00:00")) is None


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [(100.0, 100.0, 110.0), (100.0, 100.4, 110.0), (100.0, 109.9, 110.0), (100.0, 110.0, 120.0), (100.0, 147.0, 150.0)],
)
def test_every_keeps_its_rhythm_and_is_always_ahead(last: float, now: float, expected: float) -> None:
    assert next_time(Trigger("every", "10"), last, now) == expected


def test_after_begins_at_once_and_then_counts_from_the_end() -> None:
    trigger = Trigger("after", "5")
    assert first_time(trigger, 100.0) == 100.0
    assert next_time(trigger, 100.0, 102.0) == 105.0
    assert next_time(trigger, 100.0, 300.0) == 300.0


def test_triggers_of_a_definition() -> None:
    schedule = {"every": {"minutes": 5}, "cron": "0 0 * * *", "after": "PT1H"}
    made = parse(definition({"a": {"set": {"x": 1}}}, schedule=schedule))
    assert triggers_of(made) == [Trigger("every", "300"), Trigger("cron", "0 0 * * *"), Trigger("after", "3600")]
    assert triggers_of(parse(definition({"a": {"set": {"x": 1}}}))) == []


def test_ids_are_labels_and_differ() -> None:
    names = ["a", "report", "x" * 62 + "a", "x" * 62 + "b"]
    ids = {run_id(name, kind, moment) for name in names for kind in ("every", "cron") for moment in (1.0, 1.001, 2e9)}
    ids |= {event_run_id(name, sequence) for name in names for sequence in (1, 2, 2**63)}
    assert len(ids) == len(names) * (2 * 3 + 3)
    assert all(map(is_label, ids))
    assert run_id("report", "cron", at("2026-02-01T06:30:00")) == "report-cron-20260201-063000-000"
