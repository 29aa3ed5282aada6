"""Authentication of HTTP calls, against servers that check it by themselves."""

import asyncio
import base64
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from services.contracts.workflow import auth as a
from services.workflow.calls import Outside
from tests.support.outside import Reply, Seen, answer, door, get, http, problem, web


def only(header: str) -> Callable[[Seen], Reply]:
    """A server that takes one ``Authorization`` alone."""
    return lambda seen: answer("in") if seen.headers.get("authorization") == header else answer("out", 401)


def test_basic_and_bearer_given_and_from_secrets() -> None:
    async def scenario() -> None:
        wanted = "Basic " + base64.b64encode("ü:p:w".encode()).decode()
        mine = {"mine": {"username": "ü", "password": "p:w", "token": "t0k"}}
        async with web(only(wanted)) as url, door() as outside:
            given = a.BasicAuthentication(username="ü", password="p:w")
            for policy in (given, a.SecretAuthentication(scheme="basic", use="mine")):
                assert (await http(outside, get(url, authentication=policy), mine)).output == "in"
            wrong = a.BasicAuthentication(username="ü", password="hunter2")
            found = problem(await http(outside, get(url, authentication=wrong)))
            assert found[:2] == ("communication", 401)
            assert "hunter2" not in found[2]
            colon = a.BasicAuthentication(username="a:b", password="p")
            assert problem(await http(outside, get(url, authentication=colon)))[:2] == ("configuration", 400)
        async with web(only("Bearer t0k")) as url, door() as outside:
            tokens = (a.BearerAuthentication(token="t0k"), a.SecretAuthentication(scheme="bearer", use="mine"))
            for each in tokens:
                assert (await http(outside, get(url, authentication=each), mine)).output == "in"
            for token in ("", "a\r\nX: y", "a b"):
                found = problem(await http(outside, get(url, authentication=a.BearerAuthentication(token=token))))
                assert found[:2] == ("authentication", 401)

    asyncio.run(scenario())


class DigestServer:
    """RFC 7616 from the server's side, in its own words."""

    def __init__(self, algorithm: str, qop: str, stale: bool = False) -> None:
        self.algorithm, self.qop, self.stale = algorithm, qop, stale
        self.nonces: set[str] = set()
        self.bodies: list[bytes] = []

    def __call__(self, seen: Seen) -> Reply:
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', seen.headers.get("authorization", "")))
        if fields.get("nonce") in self.nonces and self._right(fields, seen):
            self.nonces.discard(fields["nonce"])  # each is good once
            if self.stale:
                self.stale = False
                return self._challenge(", stale=true")
            self.bodies.append(seen.body)
            return answer("in")
        return self._challenge("")

    def _challenge(self, more: str) -> Reply:
        nonce = secrets.token_hex(8)
        self.nonces.add(nonce)
        offer = f'Digest realm="shop", nonce="{nonce}", algorithm={self.algorithm}, qop="{self.qop}", opaque="o"{more}'
        return 401, {"www-authenticate": offer}, b"who?"

    def _right(self, fields: dict[str, str], seen: Seen) -> bool:
        name = {"MD5": "md5", "SHA-256": "sha256"}[self.algorithm]

        def hashed(text: str) -> str:
            return hashlib.new(name, text.encode()).hexdigest()

        target = seen.path + (f"?{seen.query}" if seen.query else "")
        secret, request = hashed("u:shop:p"), f"{seen.method}:{target}"
        if fields["qop"] == "auth-int":
            request += ":" + hashlib.new(name, seen.body).hexdigest()
        middle = f"{fields['nonce']}:{fields['nc']}:{fields['cnonce']}:{fields['qop']}"
        return fields["uri"] == target and fields["response"] == hashed(f"{secret}:{middle}:{hashed(request)}")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ["auth", "auth-int", "auth,auth-int"])
@pytest.mark.parametrize("stale", [False, True])
def test_digest(algorithm: str, qop: str, stale: bool) -> None:
    async def scenario() -> None:
        server = DigestServer(algorithm, qop, stale)
        async with web(server) as url, door() as outside:
            policy = a.DigestAuthentication(username="u", password="p")
            call = get(f"{url}/a?x=1", method="post", body={"n": 1}, authentication=policy)
            assert (await http(outside, call)).output == "in"
            assert server.bodies == [b'{"n":1}']
            wrong = a.DigestAuthentication(username="u", password="hunter2")
            assert problem(await http(outside, get(url, authentication=wrong)))[:2] == ("communication", 401)

    asyncio.run(scenario())


class LoginServer:
    """A token endpoint and a shop that takes its tokens."""

    def __init__(self, lifetime: int | None = 3600) -> None:
        self.lifetime = lifetime
        self.url = ""
        self.asked: list[dict[str, list[str]]] = []
        self.tokens: list[str] = []
        self.discoveries = 0

    def __call__(self, seen: Seen) -> Reply:
        if seen.path.endswith("/.well-known/openid-configuration"):
            self.discoveries += 1
            issuer = self.url + seen.path.partition("/.well-known")[0]
            return answer({"issuer": issuer, "token_endpoint": f"{self.url}/discovered/token"})
        if seen.path.endswith("/token"):
            return self._token(seen)
        given = seen.headers.get("authorization", "").removeprefix("Bearer ")
        return answer("in") if given in self.tokens else answer("out", 401)

    def _token(self, seen: Seen) -> Reply:
        fields = parse_qs(seen.body.decode())
        self.asked.append({"path": [seen.path], **fields})
        if fields.get("client_secret", [""])[0] == "hunter2":
            return answer({"error": "invalid_client", "error_description": "hunter2 is wrong"}, 401)
        claims = base64.urlsafe_b64encode(json.dumps({"iss": "https://issuer.example"}).encode()).decode().rstrip("=")
        self.tokens.append(f"h.{claims}.{len(self.tokens)}")
        made: dict[str, Any] = {"access_token": self.tokens[-1], "token_type": "bearer"}
        return answer(made if self.lifetime is None else made | {"expires_in": self.lifetime})


def oauth2(url: str, secret: str = "s", **more: Any) -> Any:
    client = a.OAuth2Client(id="i", secret=secret)
    kind = more.pop("kind", a.OAuth2Authentication)
    return kind(authority=more.pop("authority", url), grant="client_credentials", client=client, **more)


async def _in(outside: Outside, url: str, policy: Any, times: int = 1) -> None:
    for _ in range(times):
        assert (await http(outside, get(url, authentication=policy))).output == "in"


def test_a_token_is_asked_for_once_and_used_until_it_expires() -> None:
    async def scenario() -> None:
        server = LoginServer()
        async with web(server) as server.url, door() as outside:
            policy = oauth2(server.url, scopes=["a", "b"])
            async with asyncio.TaskGroup() as tasks:
                for _ in range(5):
                    tasks.create_task(_in(outside, server.url, policy, 2))
            assert [each["path"] for each in server.asked] == [["/oauth2/token"]]
            assert server.asked[0]["scope"] == ["a b"]
            await _in(outside, server.url, oauth2(server.url, scopes=["c"]))
            assert len(server.asked) == 2, "another policy, another token"

    asyncio.run(scenario())


@pytest.mark.parametrize("lifetime", [None, 5])
def test_a_token_that_ends_soon_or_nobody_knows_when_is_not_kept(lifetime: int | None) -> None:
    async def scenario() -> None:
        server = LoginServer(lifetime)
        async with web(server) as server.url, door() as outside:
            await _in(outside, server.url, oauth2(server.url), 3)
            assert len(server.asked) == 3

    asyncio.run(scenario())


def test_a_token_that_was_revoked_is_replaced_once() -> None:
    async def scenario() -> None:
        server = LoginServer()
        async with web(server) as server.url, door() as outside:
            await _in(outside, server.url, oauth2(server.url))
            server.tokens.clear()
            await _in(outside, server.url, oauth2(server.url))
            assert len(server.asked) == 2

    asyncio.run(scenario())


def test_the_endpoint_and_discovery() -> None:
    async def scenario() -> None:
        server = LoginServer()
        async with web(server) as server.url, door() as outside:
            await _in(outside, server.url, oauth2(server.url, endpoints=a.OAuth2Endpoints(token="/auth/token")))
            for policy in (
                oauth2(server.url, kind=a.OidcAuthentication, authority=f"{server.url}/realms/x/"),
                oauth2(server.url, authority=f"{server.url}/realms/x/.well-known/openid-configuration"),
            ):
                await _in(outside, server.url, policy)
            assert [each["path"][0] for each in server.asked] == ["/auth/token"] + ["/discovered/token"] * 2
            assert server.discoveries == 2

    asyncio.run(scenario())


def test_a_tokens_issuer_must_be_one_of_those_that_are_given() -> None:
    async def scenario() -> None:
        server = LoginServer()
        async with web(server) as server.url, door() as outside:
            await _in(outside, server.url, oauth2(server.url, issuers=["https://issuer.example"]))
            wrong = oauth2(server.url, issuers=["https://other.example"])
            assert problem(await http(outside, get(server.url, authentication=wrong)))[:2] == ("authentication", 401)

    asyncio.run(scenario())


def test_a_policy_of_a_secret() -> None:
    async def scenario() -> None:
        server = LoginServer()
        async with web(server) as server.url, door() as outside:
            found = await http(
                outside,
                get(server.url, authentication=a.SecretAuthentication(scheme="oauth2", use="login")),
                {
                    "login": {
                        "authority": server.url,
                        "grant": "client_credentials",
                        "client": '{"id": "i", "secret": "s"}',
                    }
                },
            )
            assert found.output == "in"
            found = await http(outside, get(server.url, authentication=a.SecretAuthentication(scheme="oidc", use="x")))
            assert problem(found)[:2] == ("authorization", 403)

    asyncio.run(scenario())


def test_a_token_that_is_refused_is_an_authentication_error_that_says_no_secret() -> None:
    async def scenario() -> None:
        server = LoginServer()
        async with web(server) as server.url, door() as outside:
            found = problem(await http(outside, get(server.url, authentication=oauth2(server.url, "hunter2"))))
            assert found[:2] == ("authentication", 401)
            assert found[2] == f"token endpoint {server.url} answered 401 (invalid_client)"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (answer({}, 503), "communication"),
        (answer([]), "communication"),
        ((200, {}, b"<html>"), "communication"),
        (answer({"token": "x"}), "authentication"),
        (answer({"access_token": "a\r\nb", "expires_in": "60"}), "authentication"),
        ((302, {"location": "/elsewhere"}, b""), "communication"),
    ],
)
def test_token_endpoints_that_answer_something_else(reply: Reply, kind: str) -> None:
    async def scenario() -> None:
        async with web(lambda seen: reply) as url, door() as outside:
            assert problem(await http(outside, get(url, authentication=oauth2(url))))[0] == kind

    asyncio.run(scenario())


def test_the_authority_is_called_under_the_same_address_rules() -> None:
    async def scenario() -> None:
        async with web(lambda seen: answer(1)) as url, Outside() as outside:
            found = problem(await http(outside, get("https://example.invalid", authentication=oauth2(url))))
            assert found[:2] == ("authorization", 403)

    asyncio.run(scenario())
