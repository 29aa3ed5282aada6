"""What a definition is once it is read: each part of the language in its struct, expressions, durations, look-ups."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.names import FunctionRef
from services.contracts.workflow import (
    Definition,
    InvalidWorkflow,
    auth,
    calls,
    data,
    parse,
    parse_yaml,
    tasks,
    walk,
)
from services.contracts.workflow.durations import MAX_SECONDS, iso8601_seconds
from services.contracts.workflow.errors import STATUS, canonical, same_type, standard_type
from services.contracts.workflow.expressions import Expression, Interpolation, Template
from tests.support.workflows import EVERYTHING, definition


@pytest.fixture(scope="module")
def everything() -> Definition:
    return parse_yaml(EVERYTHING)


def task(everything: Definition, name: str) -> tasks.Task:
    return next(task for task in walk(everything) if task.name == name)


def test_the_top_of_a_definition(everything: Definition) -> None:
    assert everything.document.version == "0.1.0-rc.1+b2"
    assert everything.document.tags == {"team": "a"}
    assert everything.evaluate.mode == "strict"
    assert everything.source["document"]["title"] == "Everything"
    assert everything.timeout_of(everything.timeout) == data.Timeout(after=86400 + 7200 + 180 + 4 + 0.005)
    assert everything.input == data.Input(
        schema=data.Schema(format="json:2020-12", document={"type": "object", "required": ["order"]}),
        from_=Expression(".order", "/input/from"),
    )
    assert everything.output is not None
    assert everything.output.as_ == Template({"result": Expression(".total", "/output/as/result")}, constant=False)


def test_schedule(everything: Definition) -> None:
    schedule = everything.schedule
    assert schedule is not None
    assert (schedule.every, schedule.cron, schedule.after, schedule.read) == (300.0, "0 0 * * *", 3600.0, "envelope")
    assert schedule.on is not None
    assert schedule.on.all is not None
    (event,) = schedule.on.all
    assert event.with_ == {"type": Template("a.b", True), "source": Template("/x", True)}
    assert event.correlate["id"].from_.text == ".data.id"
    assert event.correlate["id"].expect == "42"


def test_each_task_is_of_its_kind_and_knows_its_place(everything: Definition) -> None:
    kinds = {task.name: type(task).__name__ for task in everything.do}
    assert kinds == {
        "first": "CallHttp",
        "stock": "CallOpenApi",
        "tell": "CallAsyncApi",
        "hear": "CallAsyncApi",
        "charge": "CallFunction",
        "ours": "CallFunction",
        "steps": "DoTask",
        "announce": "EmitTask",
        "each": "ForTask",
        "literal": "ForTask",
        "both": "ForkTask",
        "events": "ListenTask",
        "more": "ListenTask",
        "child": "RunTask",
        "choose": "SwitchTask",
        "attempt": "TryTask",
        "again": "TryTask",
    }
    pointers = {task.name: task.pointer for task in walk(everything)}
    assert pointers["first"] == "/do/0/first"
    assert pointers["keep"] == "/do/3/hear/with/subscription/foreach/do/0/keep"
    assert pointers["inner"] == "/do/6/steps/do/0/inner"
    assert pointers["right"] == "/do/10/both/fork/branches/1/right"
    assert pointers["log"] == "/do/11/events/foreach/do/0/log"
    assert pointers["risky"] == "/do/15/attempt/try/0/risky"
    assert pointers["undo"] == "/do/15/attempt/catch/do/0/undo"
    assert pointers["charge"] == "/use/functions/charge"  # of the two, the one that is walked last
    inner = task(everything, "inner")
    assert inner.definition == {"set": "${ . + {a: 1} }", "then": "exit"}


def test_an_http_call(everything: Definition) -> None:
    call = task(everything, "first")
    assert isinstance(call, calls.CallHttp)
    assert call.if_ == Expression(".go", "/do/0/first/if")
    assert call.timeout == data.Timeout(after=5.0)
    assert call.then == "stock"
    assert call.metadata == {"cost": 1}
    arguments = call.with_
    assert arguments.method == "POST"
    assert arguments.endpoint.uri == "https://example.com/{id}"
    assert arguments.redirect is True
    assert arguments.output == "response"
    assert isinstance(arguments.headers, dict)
    place = "/do/0/first/with/headers/X-Trace"
    assert arguments.headers["X-Trace"] == Interpolation(("run ", Expression("$workflow.id", place)))
    assert arguments.body is not None
    assert arguments.body.value["count"] == 3
    policy = everything.authentication_of(arguments.endpoint.authentication)
    assert isinstance(policy, auth.BasicAuthentication)
    assert policy.password == Expression("$secrets.api.password", "/use/authentications/user/basic/password")


def test_authentications(everything: Definition) -> None:
    policies = everything.use.authentications
    machine = policies["machine"]
    assert isinstance(machine, auth.OAuth2Authentication)
    assert machine.endpoints.revocation == "/r"
    assert machine.client.authentication == "client_secret_basic"
    assert type(policies["person"]) is auth.OidcAuthentication
    assert policies["stored"] == auth.SecretAuthentication(scheme="digest", use="store-login")


def test_functions_are_own_ones_or_the_platforms(everything: Definition) -> None:
    charge = next(task for task in everything.do if task.name == "charge")
    ours, log = task(everything, "ours"), task(everything, "log")
    assert isinstance(charge, calls.CallFunction)
    assert isinstance(ours, calls.CallFunction)
    assert isinstance(log, calls.CallFunction)
    assert everything.function(charge) is everything.use.functions["charge"]
    assert everything.function(ours) == FunctionRef("default", "add")
    assert everything.function(log) == FunctionRef("default", "log")


def test_retries(everything: Definition) -> None:
    attempt, again = task(everything, "attempt"), task(everything, "again")
    assert isinstance(attempt, tasks.TryTask)
    assert isinstance(again, tasks.TryTask)
    retry = everything.retry_of(attempt.catch.retry)
    assert retry is not None
    assert (retry.delay, retry.backoff, retry.limit.duration) == (1.0, "linear", 60.0)
    assert retry.limit.attempt == data.AttemptLimit(count=3, duration=10.0)
    assert retry.jitter == data.Jitter(from_=0.01, to=0.5)
    assert attempt.catch.errors is not None
    assert attempt.catch.errors.with_ is not None
    assert attempt.catch.errors.with_.status == 408
    assert (attempt.catch.as_, attempt.catch.then, again.catch.as_) == ("problem", "choose", "error")
    exponential = everything.retry_of(again.catch.retry)
    assert exponential is not None
    assert exponential.backoff == "exponential"
    assert exponential.limit == data.RetryLimit()


def test_listening_looping_and_choosing(everything: Definition) -> None:
    events, each, literal = (task(everything, name) for name in ("events", "each", "literal"))
    choose, both, child = (task(everything, name) for name in ("choose", "both", "child"))
    assert isinstance(events, tasks.ListenTask)
    assert events.listen.read == "raw"
    assert events.listen.to.until is not None
    assert not isinstance(events.listen.to.until, Expression)
    assert isinstance(each, tasks.ForTask)
    assert (each.for_.each, each.for_.at) == ("line", "i")
    assert each.while_ == Expression(".ok", "/do/8/each/while")
    assert isinstance(literal, tasks.ForTask)
    assert literal.for_.in_ == Template([{"n": 1}, {"n": 2}], constant=True)
    assert isinstance(choose, tasks.SwitchTask)
    assert [(case.name, case.then) for case in choose.switch][2] == ("other", "exit")
    assert choose.switch[2].when is None
    assert isinstance(both, tasks.ForkTask)
    assert both.fork.compete
    assert isinstance(child, tasks.RunTask)
    assert not child.run.await_
    assert child.run.return_ == "none"


def test_a_definition_cannot_be_changed(everything: Definition) -> None:
    with pytest.raises(AttributeError):
        everything.document.name = "other"  # type: ignore[misc]
    assert msgspec.structs.replace(everything.document, name="other").name == "other"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT30S", 30),
        ("PT0.5S", 0.5),
        ("PT1H30M", 5400),
        ("P1DT1S", 86401),
        ("P2W", 14 * 86400),
        ("P1Y2M", 425 * 86400),
        ("P0D", 0),
        ("P100Y", MAX_SECONDS),
        ("P101Y", None),
        ("P", None),
        ("PT", None),
        ("P1DT", None),
        ("30s", None),
        ("pt30s", None),
        ("-PT1S", None),
        ("PT1S ", None),
        ("PT٣S", None),
        ("P" + "9" * 400 + "D", None),
    ],
)
def test_iso_durations(text: str, seconds: float | None) -> None:
    assert iso8601_seconds(text) == seconds


@given(st.fixed_dictionaries({}, optional={u: st.integers(0, 1000) for u in ("days", "hours", "minutes", "seconds")}))
def test_both_writings_of_a_duration_agree(amounts: dict[str, int]) -> None:
    if not amounts:
        return
    time = "".join(f"{amounts[unit]}{unit[0].upper()}" for unit in ("hours", "minutes", "seconds") if unit in amounts)
    text = "P" + (f"{amounts['days']}D" if "days" in amounts else "") + (f"T{time}" if time else "")
    one, other = parse(definition({"a": {"wait": amounts}}, {"b": {"wait": text}})).do
    assert isinstance(one, tasks.WaitTask)
    assert isinstance(other, tasks.WaitTask)
    assert one.wait == other.wait


def test_a_duration_by_expression() -> None:
    (wait,) = parse(definition({"a": {"wait": "${ .pause }"}})).do
    assert isinstance(wait, tasks.WaitTask)
    assert wait.wait == Expression(".pause", "/do/0/a/wait")


def test_error_types_are_the_same_in_all_their_writings() -> None:
    for name in STATUS:
        ours = standard_type(name)
        for prefix in (
            "https://open-workflow-specification.org/spec/1.0.0/errors/",
            "https://open-workflow-specification.org/dsl/errors/types/",
            "https://serverlessworkflow.io/dsl/errors/types/",
            "https://serverlessworkflow.io/spec/1.0.0/errors/",
            "",
        ):
            assert same_type(prefix + name, ours)
    own = "https://example.com/spec/1.0.0/errors/timeout"
    assert canonical(own) == own
    assert not same_type(own, standard_type("timeout"))
    assert not same_type(standard_type("timeout"), standard_type("runtime"))
    with pytest.raises(KeyError):
        standard_type("other")


def test_json_and_yaml_give_the_same_definition(everything: Definition) -> None:
    assert parse_yaml(msgspec.json.encode(everything.source)) == everything


def test_nothing_is_no_definition() -> None:
    for document in (None, [], "text", 1, {}):
        with pytest.raises(InvalidWorkflow):
            parse(document)
