"""The specification's own material: examples, definitions of the CTK, and its JSON schema as a second opinion."""

import copy
import re
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.contracts.workflow import InvalidWorkflow, Problem, load_yaml, parse, parse_yaml
from tests.support.workflows import EVERYTHING, OPENWORKFLOW

pytestmark = pytest.mark.skipif(
    not OPENWORKFLOW.exists(), reason="needs the specification's material beside the repository"
)

REFUSED = {
    "call-asyncapi-subscribe-consume-amount.yaml": "/do/0/getNotifications/with/protocol",  # over WebSocket
    "call-custom-function-cataloged.yaml": "/do/0/log/call",
    "call-grpc.yaml": "/do/0/greet/call",
    "call-mcp.yaml": "/do/0/publishMessageToSlack/call",
    "mock-service-extension.yaml": "/use/extensions",
    "run-container-cleanup-always.yaml": "/do/0/runContainer/run/container",
    "run-container-cleanup-eventually.yaml": "/do/0/runContainer/run/container",
    "run-container-stdin-and-arguments.yaml": "/do/1/runContainer/run/container",
    "run-container-with-name.yaml": "/do/0/runContainer/run/container",
    "run-container-with-pull-policy.yaml": "/do/0/runContainer/run/container",
    "run-container.yaml": "/do/0/runContainer/run/container",
    "run-return-all.yaml": "/do/0/runContainer/run/container",
    "run-return-code.yaml": "/do/0/runContainer/run/container",
    "run-return-none.yaml": "/do/0/runContainer/run/container",
    "run-return-stderr.yaml": "/do/0/runContainer/run/container",
    "run-script-with-stdin-and-arguments.yaml": "/do/0/runScript/run/script",
    "run-shell-stdin-and-arguments.yaml": "/do/1/runShell/run/shell",
}
"""Where the examples use what this platform does not run."""


def examples() -> list[Path]:
    return sorted(OPENWORKFLOW.glob("examples/*.yaml"))


def problems(document: Any) -> list[Problem]:
    try:
        parse(document)
    except InvalidWorkflow as refused:
        return refused.problems
    return []


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.stem)
def test_each_example_is_valid_or_refused_for_its_reason(path: Path) -> None:
    document = load_yaml(path.read_bytes())
    assert schema().is_valid(document)
    found = [(problem.kind, problem.pointer) for problem in problems(document)]
    assert found == ([("unsupported", REFUSED[path.name])] if path.name in REFUSED else [])


def test_no_expected_refusal_is_of_a_file_that_is_gone() -> None:
    assert set(REFUSED) <= {path.name for path in examples()}


def test_the_definitions_of_the_conformance_kit_are_valid() -> None:
    files = sorted(OPENWORKFLOW.glob("ctk/*.feature"))
    texts = [
        text
        for path in files
        for text in re.findall(r'definition:\s*"""yaml\n(.*?)"""', path.read_text(), flags=re.DOTALL)
    ]
    assert len(files) >= 6
    assert len(texts) >= len(files)
    for text in texts:
        parse_yaml(text)


@cache
def schema() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(load_yaml((OPENWORKFLOW / "schema" / "workflow.yaml").read_bytes()))


@cache
def documents() -> list[Any]:
    return [load_yaml(EVERYTHING), *(load_yaml(path.read_bytes()) for path in examples())]


# Where we refuse what the schema lets pass, by the kind of problem: ``unknown-field`` (the schema leaves its top level,
# filters of errors, emitted events and a few others open, so a misspelt key there would be ignored), ``unsupported``
# and ``rule`` (what the text of the specification says and a schema can't, or what has no meaning). And these:
STRICTER = [
    r".*/emit/event: found no with",  # an event without a type is no CloudEvent
    r".*/oauth2/endpoints/\w+: .* expected a URI",  # the schema has their format, which it does not assert
]
# Where we let pass what the schema refuses, as the text of the specification does: query values, headers and a child's
# input of any type, its version by default; a policy by its name alone, a token as text, names and passwords in digits;
# URIs and texts with expressions inside; times and instances by expression (its ``oneOf`` has two branches that both
# match one); some expressions over several lines (its pattern's dot matches no newline).
LAXER = re.compile(
    r".*/(with/(query|headers)(/[^/]+)?|run/workflow(/input)?|with/time|error/instance|instance|errors/\w+/instance"
    r"|endpoint|uri|set|authentication|bearer|username|password)"
)


def disagreement(document: Any) -> str | None:
    """What the two verdicts differ in without a listed reason; None when they agree."""
    ours = problems(document)
    if schema().is_valid(document):
        odd = [p for p in ours if p.kind in ("syntax", "shape") and not any(re.match(k, str(p)) for k in STRICTER)]
        return f"only we refuse: {odd[0]}" if odd else None
    if ours:
        return None
    pointers = [
        "/" + "/".join(map(str, e.absolute_path)) for error in schema().iter_errors(document) for e in leaves(error)
    ]
    return None if any(map(LAXER.fullmatch, pointers)) else f"only the schema refuses: {pointers}"


def leaves(error: jsonschema.ValidationError) -> list[jsonschema.ValidationError]:
    return [leaf for inner in error.context for leaf in leaves(inner)] if error.context else [error]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(*path, key), *places(value[key], (*path, key))]]


ODD: list[Any] = [
    1,
    1.5,
    -3,
    2.0,
    "text",
    "",
    "${ .a }",
    "PT5S",
    True,
    None,
    [],
    [1],
    [{}],
    {},
    {"a": 1},
    {"use": "x"},
    {"seconds": 2},
]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A document with one or two places dropped, renamed, of another type, added, or grafted from elsewhere."""
    document = copy.deepcopy(draw(st.sampled_from(documents())))
    for _ in range(draw(st.integers(1, 2))):
        if not (known := places(document)):
            break
        *path, key = draw(st.sampled_from(known))
        parent = document
        for step in path:
            parent = parent[step]
        change = draw(st.sampled_from(["drop", "rename", "retype", "add", "graft"]))
        if change == "drop":
            del parent[key]
        elif change == "retype" or not isinstance(parent, dict):
            parent[key] = copy.deepcopy(draw(st.sampled_from(ODD)))
        elif change == "rename":
            parent[draw(st.sampled_from([key + "x", key.upper(), key[:-1]]))] = parent.pop(key)
        else:
            donor = draw(st.sampled_from(documents()))
            *there, name = draw(st.sampled_from([place for place in places(donor) if isinstance(place[-1], str)]))
            for step in there:
                donor = donor[step]
            parent[name if change == "add" else key] = copy.deepcopy(donor[name])
    return document


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_the_schema_and_we_agree_on_mutated_documents(document: Any) -> None:
    assert disagreement(document) is None


def test_the_differences_from_the_schema_are_real() -> None:
    """Each listed difference is one: else the list would hide what it should not."""
    document = load_yaml(EVERYTHING)
    assert schema().is_valid(document)
    task = document["do"][0]["first"]
    task["with"]["query"] = {"limit": 3}
    assert not schema().is_valid(document)
    assert not problems(document)
    task["with"]["query"] = {}
    for path, value in (
        (("headers",), {"X-Page": 3}),
        (("endpoint", "uri"), "https://example.com/${ .page }/{id}"),
        (("endpoint", "authentication"), next(iter(document["use"]["authentications"]))),
        (("endpoint", "authentication"), {"bearer": "${ .token }"}),
        (("endpoint", "authentication"), {"basic": {"username": "a", "password": 123}}),
    ):
        lax = copy.deepcopy(document)
        *above, last = path
        part = lax["do"][0]["first"]["with"]
        for key in above:
            part = part[key]
        part[last] = value
        assert not schema().is_valid(lax), path
        assert not problems(lax), path
        assert disagreement(lax) is None, path
    document["shcedule"] = document.pop("schedule")
    assert schema().is_valid(document)
    assert [p.kind for p in problems(document)] == ["unknown-field"]


def test_a_definition_of_thousands_of_tasks_is_read() -> None:
    """A guard against quadratic reading, by the time limit of every test."""
    document = load_yaml(EVERYTHING)
    document["do"] = [{f"t{i}": {"set": {"a": i}}} for i in range(8000)]
    assert len(parse(document).do) == 8000
