"""Names, subjects and durations: no text of a user's reaches a subject unchecked."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts import archives, subjects
from services.contracts.durations import DURATION_PATTERN, InvalidDuration, parse_duration
from services.contracts.names import LABEL_PATTERN, FunctionRef, InvalidName, check_label, is_label, parse_ref

LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)
HOSTILE = st.text() | st.text(alphabet="ab01-.*>/ \n\r\t\0AÄ%") | st.text("a", min_size=60, max_size=70)
WRONG = [
    "", ".", "*", ">", "a.b", "a b", "a/b", "A", "-a", "a-", "ä", "%61", "a\n", "a\0", "a" * 64, "x" * 6000, "a*", "a>",
    "ａ", "a\u200b",
]  # fmt: skip


@given(HOSTILE | LABELS)
def test_a_label_is_what_kubernetes_takes(text: str) -> None:
    wanted = len(text) <= 63 and re.fullmatch(LABEL_PATTERN.removesuffix("$") + r"\Z", text) is not None
    assert is_label(text) == wanted


@pytest.mark.parametrize("text", WRONG)
def test_wrong_names_are_refused_with_a_short_plain_message(text: str) -> None:
    with pytest.raises(InvalidName) as refusal:
        check_label(text, "function name")
    message = str(refusal.value)
    assert "function name" in message
    assert len(message) < 260
    assert message.isascii()
    assert message.isprintable()


@given(LABELS, LABELS)
def test_a_subject_has_one_token_for_each_name(namespace: str, name: str) -> None:
    ref = FunctionRef(namespace, name)
    for subject, tokens in ((subjects.invoke(ref), 4), (subjects.describe(ref), 5)):
        assert subject.count(".") == tokens - 1
        assert subjects.parse_ref(subject) == ref
    event = subjects.event(namespace, "function", name, "received").split(".")
    assert event == ["faas", "event", namespace, "function", name, "received"]
    assert parse_ref(str(ref)) == ref


@given(HOSTILE, HOSTILE)
def test_a_reference_is_taken_only_when_both_names_are(namespace: str, name: str) -> None:
    text = f"{namespace}/{name}"
    if is_label(namespace) and is_label(name):
        assert parse_ref(text) == FunctionRef(namespace, name)
    else:
        with pytest.raises(InvalidName):
            parse_ref(text)


@given(HOSTILE)
def test_a_subject_of_an_outsider_is_checked(tail: str) -> None:
    subject = f"faas.invoke.default.{tail}"
    try:
        ref = subjects.parse_ref(subject)
    except InvalidName:
        assert not is_label(tail)
    else:
        assert is_label(ref.namespace)
        assert is_label(ref.name)


def test_a_gateway_id_cannot_widen_its_progress_subject() -> None:
    for text in WRONG:
        with pytest.raises(InvalidName):
            subjects.progress(text)


UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
PARTS = st.lists(st.tuples(st.integers(0, 9999), st.sampled_from(list(UNITS))), min_size=1, max_size=4)


@given(PARTS)
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == pytest.approx(sum(number * UNITS[unit] for number, unit in parts))


@given(st.text(alphabet="0123456789.msh -+d") | st.text())
def test_a_duration_is_what_the_pattern_takes(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except InvalidDuration:
        assert re.fullmatch(DURATION_PATTERN.removesuffix("$"), text, re.ASCII) is None
    else:
        assert re.fullmatch(DURATION_PATTERN.removesuffix("$"), text, re.ASCII) is not None
        assert seconds >= 0


@given(LABELS, LABELS, st.binary(min_size=1), HOSTILE)
def test_an_archive_token_opens_one_archive_in_one_namespace(
    namespace: str, name: str, key: bytes, forged: str
) -> None:
    digest, other = "a" * 64, "b" * 64
    token = archives.fetch_token(key, FunctionRef(namespace, name), digest)
    assert archives.may_fetch(key, namespace, digest, token)
    assert not archives.may_fetch(key, namespace, other, token)
    assert not archives.may_fetch(key, f"{namespace}x", digest, token)
    assert not archives.may_fetch(key + b"x", namespace, digest, token)
    assert not archives.may_fetch(key, namespace, digest, forged)
    assert not archives.may_fetch(key, namespace, digest, f"{name}.{forged}")


@pytest.mark.parametrize("text", ["", "A" * 64, "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\n", "../" + "a" * 61])
def test_only_a_sha256_is_a_digest(text: str) -> None:
    assert not archives.is_digest(text)
    assert archives.is_digest("0f" * 32)
