"""HTTP Digest authentication against the examples of RFC 7616, section 3.9."""

import re

import pytest

from services.workflow.calls.digest import Challenge, answer, challenge_of
from services.workflow.calls.problems import CallError

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
HEADER = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    f'nonce="{NONCE}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ],
)
def test_the_examples_of_the_rfc(algorithm: str, response: str) -> None:
    challenge = challenge_of(HEADER.format(algorithm))
    assert challenge is not None
    header = answer(
        challenge, method="GET", uri="/dir/index.html", body=b"", username="Mufasa", password="Circle of Life",
        cnonce=CNONCE,
    )  # fmt: skip
    assert f'response="{response}"' in header
    assert "qop=auth, nc=00000001" in header
    assert 'opaque="FQhe/' in header


def test_the_example_with_a_hashed_user_and_utf_8() -> None:
    challenge = challenge_of(
        'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
        'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", '
        'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true'
    )
    assert challenge is not None
    assert challenge.userhash
    header = answer(
        challenge, method="GET", uri="/doe.json", body=b"", username="Jäsøn Doe", password="Secret, or not?",
        cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm",
    )  # fmt: skip
    assert 'username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"' in header
    assert re.search(r'response="[0-9a-f]{64}"', header)


def test_a_user_outside_of_ascii_is_written_as_rfc_5987_says() -> None:
    challenge = Challenge("r", "n", "MD5", "auth", None, False, False)
    header = answer(challenge, method="GET", uri="/", body=b"", username="Jäsøn", password="p", cnonce="c")
    assert "username*=UTF-8''J%C3%A4s%C3%B8n" in header


def test_the_body_counts_when_nothing_else_is_offered() -> None:
    challenge = challenge_of('Digest realm="r", nonce="n", qop="auth-int"')
    assert challenge is not None
    made = {
        answer(challenge, method="POST", uri="/", body=body, username="u", password="p", cnonce="c")
        for body in (b"a", b"b")
    }
    assert len(made) == 2


def test_old_servers_and_sessions() -> None:
    old = challenge_of('digest realm="r", nonce="n"')
    assert old is not None
    assert "qop" not in answer(old, method="GET", uri="/", body=b"", username="u", password="p", cnonce="c")
    session = challenge_of('Digest realm="r", nonce="n", qop=auth, algorithm=MD5-sess')
    assert session is not None
    header = answer(session, method="GET", uri="/", body=b"", username="u", password="p", cnonce="c")
    assert "algorithm=MD5-SESS" in header


def test_the_first_challenge_that_can_be_answered_is_taken() -> None:
    header = (
        'Basic realm="a, b=c", Negotiate abc==, Digest realm="r", nonce="1", algorithm=WHIRLPOOL, '
        'Digest realm="say \\"hi\\"", nonce="2", algorithm=SHA-256, qop="auth", stale=TRUE'
    )
    challenge = challenge_of(header)
    assert challenge is not None
    assert (challenge.realm, challenge.nonce, challenge.stale) == ('say "hi"', "2", True)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Digest",
        'Digest realm="r"',
        'Digest nonce="n", qop="other"',
        "=,=,\x00",
        'Bearer realm="',
        "," * 99,
    ],
)
def test_what_is_no_challenge_is_none(header: str) -> None:
    assert challenge_of(header) is None


def test_a_challenge_adds_no_header() -> None:
    challenge = Challenge("r", "n\r\nX: y", "MD5", "auth", None, False, False)
    with pytest.raises(CallError, match="control character"):
        answer(challenge, method="GET", uri="/", body=b"", username="u", password="p", cnonce="c")
