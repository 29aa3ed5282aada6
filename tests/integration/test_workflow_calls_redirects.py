"""Where an HTTP call of a workflow may end: redirects, and addresses that it must not reach."""

import asyncio
import socket
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from services.contracts.workflow.auth import BasicAuthentication
from services.workflow.calls import Limits, Outside, parse_networks
from tests.support.outside import LOOPBACK, Reply, Seen, answer, door, get, http, problem, web


def test_redirects_are_errors_unless_the_call_says_otherwise() -> None:
    async def scenario() -> None:
        def handler(seen: Seen) -> Reply:
            if seen.path == "/from":
                return 302, {"location": "/to?x=1"}, b""
            return answer({"at": seen.path, "method": seen.method})

        async with web(handler) as url, door() as outside:
            assert problem(await http(outside, get(f"{url}/from")))[:2] == ("communication", 302)
            assert (await http(outside, get(f"{url}/from", redirect=True))).output == {"at": "/to", "method": "GET"}
            posted = await http(outside, get(f"{url}/from", method="post", body=1, redirect=True))
            assert posted.output["method"] == "GET"

    asyncio.run(scenario())


def test_a_redirect_that_cannot_be_followed_is_an_answer_when_redirects_are_none_errors() -> None:
    async def scenario() -> None:
        async with web(lambda seen: (304, {}, b"")) as url, door() as outside:
            found = await http(outside, get(url, redirect=True, output="response"))
            assert found.output["statusCode"] == 304
            assert problem(await http(outside, get(url)))[1] == 304

    asyncio.run(scenario())


def test_five_redirects_are_followed_and_not_one_more() -> None:
    async def scenario() -> None:
        requests: list[Seen] = []

        def handler(seen: Seen) -> Reply:
            left = int(seen.path[1:])
            return (307, {"location": f"/{left - 1}"}, b"") if left else answer("there")

        async with web(handler, requests) as url, door() as outside:
            assert (await http(outside, get(f"{url}/5", redirect=True))).output == "there"
            requests.clear()
            kind, status, _ = problem(await http(outside, get(f"{url}/6", redirect=True)))
            assert (kind, status, len(requests)) == ("communication", 508, 6)

    asyncio.run(scenario())


def test_credentials_do_not_go_to_another_origin() -> None:
    async def scenario() -> None:
        there: list[Seen] = []
        async with (
            web(lambda seen: answer("far"), there) as far,
            web(lambda seen: (302, {"location": f"{far}/x"}, b"")) as near,
            door() as outside,
        ):
            policy = BasicAuthentication(username="u", password="p")
            headers = {"X-Api-Key": "k", "Cookie": "c=d"}
            found = await http(outside, get(near, redirect=True, headers=headers, authentication=policy))
            assert found.output == "far"
        (seen,) = there
        assert not seen.headers.keys() & {"authorization", "cookie", "x-api-key"}

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/",
     "http://[64:ff9b::a00:1]/", "http://0x0a.1/", "http://192.168.1.1:1/"],
)  # fmt: skip
def test_a_redirect_into_a_private_network_is_refused(target: str) -> None:
    async def scenario() -> None:
        only = Limits(allowed=parse_networks("127.0.0.1"))
        async with web(lambda seen: (302, {"location": target}, b"")) as url, Outside(only) as outside:
            kind, status, detail = problem(await http(outside, get(url, redirect=True)))
            assert (kind, status) == ("authorization", 403)
            assert "FAAS_ALLOWED_ADDRESSES" in detail

    asyncio.run(scenario())


def test_nothing_of_the_own_network_is_reached_unless_it_is_listed() -> None:
    async def scenario() -> None:
        requests: list[Seen] = []
        async with web(lambda seen: answer("inside"), requests) as url, Outside() as outside:
            port = url.rpartition(":")[2]
            for host in ("127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"):
                kind, status, _ = problem(await http(outside, get(f"http://{host}:{port}/")))
                assert (kind, status) == ("authorization", 403), host
        assert requests == []

    asyncio.run(scenario())


class Turning(AbstractResolver):
    """Gives a public address first and then a private one, as who rebinds a name does."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[ResolveResult]:
        address = self.addresses[min(self.asked, len(self.addresses) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        pass


def test_a_name_that_is_bound_anew_between_look_ups_does_not_get_inside() -> None:
    async def scenario() -> None:
        requests: list[Seen] = []
        async with web(lambda seen: answer("inside"), requests) as url:
            port = url.rpartition(":")[2]
            resolver = Turning("192.0.2.1", "127.0.0.1")
            limits = Limits(allowed=parse_networks("192.0.2.1"), connect=0.2)
            async with Outside(limits, resolver) as outside:
                found = problem(await http(outside, get(f"http://rebound.example:{port}/")))
                assert found[0] in ("timeout", "communication"), "the first address may be called, but nobody is there"
                found = problem(await http(outside, get(f"http://rebound.example:{port}/")))
                assert found[:2] == ("authorization", 403)
            assert resolver.asked == 2
        assert requests == []

    asyncio.run(scenario())


def test_a_name_is_called_by_its_name_at_the_address_that_was_checked() -> None:
    async def scenario() -> None:
        requests: list[Seen] = []
        async with web(lambda seen: answer("in"), requests) as url:
            port = url.rpartition(":")[2]
            async with Outside(Limits(allowed=LOOPBACK), Turning("127.0.0.1")) as outside:
                assert (await http(outside, get(f"http://shop.example:{port}/"))).output == "in"
            assert requests[0].headers["host"] == f"shop.example:{port}"

    asyncio.run(scenario())
