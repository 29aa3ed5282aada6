"""The reference pages say what the contracts and settings say."""

import re

import msgspec

from services.common.settings import Common
from services.contracts import accounts, events, headers, messages, subjects
from services.contracts.errors import MEANING
from services.contracts.names import FunctionRef
from tests.contracts.reference import PAGE, ROOT, descriptions, page, settings_types

REF = FunctionRef("ns", "fn")
_HEADERS = {
    headers.CONTENT_TYPE, headers.ID, headers.TIMEOUT_MS, headers.COLD_START, headers.TRACEPARENT, headers.METHOD,
    headers.PATH, headers.QUERY, headers.PROGRESS, headers.STATUS, headers.ERROR, headers.POD, headers.DURATION,
    headers.RETRY_AFTER,
}  # fmt: skip


def text(name: str) -> str:
    """A page without its blocks of code."""
    page = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)


def rows(page: str, columns: int) -> list[list[str]]:
    """The cells of all table rows with so many columns, heads and rules left out."""
    lines = [line.strip("|").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    cells = [[cell.strip(" |") for cell in line] for line in lines]
    return [line for line in cells if len(line) == columns and line[0].startswith("`")]


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_the_page_of_settings_is_that_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.contracts.reference`"


def test_every_setting_has_a_description() -> None:
    for title, type_ in settings_types():
        own = {field.name for field in msgspec.structs.fields(type_)}
        if type_ is not Common:
            own -= {field.name for field in msgspec.structs.fields(Common)}
        assert own == set(descriptions(type_)), title


def test_every_error_has_its_row() -> None:
    found = {cells[0].strip("`"): (int(cells[1]), int(cells[2])) for cells in rows(text("errors.md"), 4)}
    assert found == {code.value: (meaning.status, meaning.exit) for code, meaning in MEANING.items()}


def test_every_subject_is_described_and_no_other() -> None:
    described = {cells[0].strip("`") for cells in rows(text("subjects.md"), 4)}
    patterns = {re.sub(r"<[a-z]+>", "*", subject) for subject in described}
    event = subjects.event("ns", "function", "fn", "received").split(".")
    made = {subjects.invoke(REF), subjects.describe(REF), subjects.progress("id"), subjects.LOAD}
    made |= {subjects.run(REF), subjects.send("ns"), subjects.control("verb", REF)}
    made |= {subjects.ALIVE, f"{subjects.instance('id')}.verb.ns.fn"}
    assert patterns == {re.sub(r"\b(ns|fn|id|verb)\b", "*", subject) for subject in made} | {
        ".".join([*event[:2], *["*"] * (len(event) - 2)])
    }
    allowed = {subject.split()[0] for both in accounts._PERMISSIONS.values() for one in both for subject in one}
    for subject in allowed:
        if subject.startswith("faas."):
            assert any(_covers(subject, pattern) for pattern in patterns), subject


def _covers(wide: str, pattern: str) -> bool:
    """Whether a subject of ``pattern`` can match the permission ``wide``."""
    expression = re.escape(wide).replace(r"\*", "[^.]+").replace(">", ".+")
    tokens, fixed = pattern.split("."), wide.split(".")
    example = ".".join(
        fixed[i] if token == "*" and i < len(fixed) and fixed[i] not in "*>" else token.replace("*", "x")
        for i, token in enumerate(tokens)
    )
    return re.fullmatch(expression, example) is not None


def test_every_header_is_described_and_no_other() -> None:
    found = quoted(text("subjects.md"))
    assert found >= _HEADERS | headers.FORWARDED_REQUEST | headers.FORWARDED_RESPONSE
    assert {name for name in found if name.startswith("Faas-")} <= _HEADERS
    constants = {value for name, value in vars(headers).items() if name.isupper() and isinstance(value, str)}
    assert {value for value in constants if value[:1] != "_" and value != "set-cookie"} == _HEADERS
    lists = re.findall(r"^(?:To the function|Back to the caller): (.*?)\.(?: |$)", text("subjects.md"), re.M | re.S)
    assert [quoted(one) for one in lists] == [headers.FORWARDED_REQUEST, headers.FORWARDED_RESPONSE]


def test_every_event_and_message_is_described_with_its_fields() -> None:
    page = text("subjects.md")
    by_verb = {cells[0].strip("`"): quoted(re.sub(r"\([^)]*\)", "", cells[2])) for cells in rows(page, 3)}
    types = {
        events.RECEIVED: events.Received, events.COMPLETED: events.Ended, events.FAILED: events.Ended,
        events.SCALED: events.Scaled,
    }  # fmt: skip
    assert by_verb == {verb: _wire(type_) for verb, type_ in types.items()}
    described = {cells[0].strip("`"): quoted(cells[1]) for cells in rows(page, 2) if cells[0][1:2].isupper()}
    for type_ in (messages.LoadReport, messages.Progress, messages.Description):
        parts = _wire(messages.Load) if type_ is messages.LoadReport else set()
        assert described[type_.__name__] == _wire(type_) | parts


def _wire(type_: type[msgspec.Struct]) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(type_)}
