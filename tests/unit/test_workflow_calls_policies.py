"""Policies out of secrets, and the requests for tokens that policies make."""

import base64
import hmac
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from services.contracts.workflow import auth as a
from services.workflow.calls.policies import resolved
from services.workflow.calls.problems import CallError
from services.workflow.calls.tokens import token_request

URL = "https://login.example/oauth2/token"


def of_secret(scheme: Any, values: Any) -> Any:
    return resolved(a.SecretAuthentication(scheme=scheme, use="mine"), {"mine": values})


def test_flat_keys_of_a_secret_make_a_policy() -> None:
    policy = of_secret(
        "oauth2",
        {
            "authority": "https://login.example", "grant": "client_credentials", "client.id": "i", "client.secret": "s",
            "client.authentication": "client_secret_basic", "endpoints.token": "/t", "scopes": "a b,c",
            "audiences": '["x", "y"]', "other": "ignored",
        },
    )  # fmt: skip
    assert policy.client == a.OAuth2Client(id="i", secret="s", authentication="client_secret_basic")
    assert (policy.endpoints.token, policy.scopes, policy.audiences) == ("/t", ["a", "b", "c"], ["x", "y"])
    nested = of_secret("oidc", {"authority": "https://l", "grant": "client_credentials", "client": '{"id": "i"}'})
    assert nested.client.id == "i"
    assert of_secret("basic", {"username": "u", "password": "${ .p }"}).password == "${ .p }", "a value, no expression"
    assert of_secret("bearer", "t").token == "t"


@pytest.mark.parametrize(
    ("scheme", "values", "why"),
    [
        ("basic", {"username": "hunter2"}, "the key password is missing"),
        ("basic", {"username": "u", "password": 7}, "expected a text"),
        ("oauth2", {"authority": "https://l", "grant": "magic"}, "expected one of"),
        ("oidc", {"authority": "https://l", "grant": "refresh_token"}, "a person"),
        ("oauth2", {"authority": "https://l", "grant": "password", "client": "hunter2"}, "expected an object"),
        ("oauth2", {"authority": "https://l", "grant": "password", "scopes": 7}, "a list of texts"),
        ("digest", "hunter2", "the key username is missing"),
    ],
)
def test_a_secret_that_lacks_something_names_keys_never_values(scheme: str, values: Any, why: str) -> None:
    with pytest.raises(CallError, match=why) as raised:
        of_secret(scheme, values)
    assert "hunter2" not in str(raised.value.error)


def test_a_secret_that_is_not_there_is_an_authorization_error() -> None:
    with pytest.raises(CallError) as raised:
        resolved(a.SecretAuthentication(scheme="basic", use="gone"), {})
    assert (raised.value.error["status"], raised.value.error["type"].rpartition("/")[2]) == (403, "authorization")


def policy(grant: Any = "client_credentials", method: Any = "client_secret_post", **more: Any) -> Any:
    client = a.OAuth2Client(id="i:d", secret="s&t", assertion="signed.by.you", authentication=method)
    return a.OAuth2Authentication(authority="https://login.example", grant=grant, client=client, **more)


def form(made: Any) -> dict[str, list[str]]:
    return parse_qs(made.body.decode())


def test_client_credentials_by_post_and_basic() -> None:
    post = token_request(policy(scopes=["a", "b"], audiences=["x", "y"]), URL)
    assert form(post) == {
        "grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["x", "y"], "client_id": ["i:d"],
        "client_secret": ["s&t"],
    }  # fmt: skip
    basic = token_request(policy(method="client_secret_basic"), URL)
    assert basic.headers["authorization"] == "Basic " + base64.b64encode(b"i%3Ad:s%26t").decode()
    assert "client_secret" not in form(basic)


def test_client_assertions() -> None:
    made = form(token_request(policy(method="client_secret_jwt"), URL))
    assert made["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    text, _, signature = made["client_assertion"][0].rpartition(".")
    expected = base64.urlsafe_b64encode(hmac.digest(b"s&t", text.encode(), "sha256")).rstrip(b"=").decode()
    assert signature == expected
    claims = msgspec.json.decode(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("i:d", "i:d", URL)
    assert claims["exp"] - claims["iat"] == 60
    given = form(token_request(policy(method="private_key_jwt"), URL))
    assert given["client_assertion"] == ["signed.by.you"]
    assert form(token_request(policy(method="none"), URL)) == {
        "grant_type": ["client_credentials"], "client_id": ["i:d"],
    }  # fmt: skip


def test_password_exchange_and_json() -> None:
    made = form(token_request(policy("password", username="u", password="p"), URL))
    assert (made["grant_type"], made["username"], made["password"]) == (["password"], ["u"], ["p"])
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    subject, actor = a.OAuth2Token(token="s", type="jwt"), a.OAuth2Token(token="a", type="jwt")
    made = form(token_request(policy(exchange, subject=subject, actor=actor), URL))
    assert (made["subject_token"], made["actor_token_type"]) == (["s"], ["jwt"])
    encoded = a.OAuth2Request(encoding="application/json")
    json = msgspec.json.decode(token_request(policy(request=encoded, audiences=["x", "y"]), URL).body or b"")
    assert (json["client_id"], json["audience"]) == ("i:d", ["x", "y"])


@pytest.mark.parametrize(
    "made",
    [
        policy("password"),
        policy("urn:ietf:params:oauth:grant-type:token-exchange"),
        policy("authorization_code"),
        a.OAuth2Authentication(authority="https://l", grant="client_credentials"),
        a.OAuth2Authentication(
            authority="https://l", grant="client_credentials",
            client=a.OAuth2Client(id="i", authentication="private_key_jwt"),
        ),
    ],
)  # fmt: skip
def test_a_policy_that_lacks_something_is_a_configuration_error(made: Any) -> None:
    with pytest.raises(CallError) as raised:
        token_request(made, URL)
    assert raised.value.error["status"] == 400
