"""HTTP calls of workflows against real servers: requests, outputs, and what becomes of a call that breaks."""

import asyncio
import base64
import logging
import socket

import pytest

from tests.support.outside import Reply, Seen, answer, door, get, http, problem, raw, web


def test_a_call_sends_what_it_is_given_and_gives_what_is_answered() -> None:
    async def scenario() -> None:
        requests: list[Seen] = []
        async with web(lambda seen: answer({"n": 1, "p": seen.path}), requests) as url, door() as outside:
            found = await http(
                outside,
                get(
                    f"{url}/a%20b?x=1",
                    method="post",
                    headers={"X-Trace": "t"},
                    query={"q": "ü&", "l": [1, 2]},
                    body={"order": 7},
                ),
            )
            assert found.output == {"n": 1, "p": "/a b"}
            (seen,) = requests
            assert (seen.method, seen.query, seen.json) == ("POST", "x=1&q=%C3%BC%26&l=1&l=2", {"order": 7})
            assert seen.headers["content-type"] == "application/json"
            assert seen.headers["idempotency-key"] == "k.1"
            assert seen.headers["x-trace"] == "t"
            assert "cookie" not in seen.headers

    asyncio.run(scenario())


def test_outputs() -> None:
    async def scenario() -> None:
        kinds: dict[str, Reply] = {
            "/json": answer([1, {"a": None}], headers={"x-many": "a"}),
            "/text": (200, {"content-type": "text/plain; charset=iso-8859-1"}, "é".encode("latin-1")),
            "/bytes": (200, {"content-type": "image/png"}, b"\x89PNG"),
            "/untyped": (200, {}, b'{"a": 1}'),
            "/words": (200, {}, b"plain words"),
            "/empty": (204, {}, b""),
            "/wrong": (200, {"content-type": "application/json"}, b"{nothing"),
            "/deep": (200, {"content-type": "application/json"}, b"[" * 200_000),
        }
        expected = {
            "/json": [1, {"a": None}], "/text": "é", "/bytes": base64.b64encode(b"\x89PNG").decode(),
            "/untyped": {"a": 1}, "/words": "plain words", "/empty": None,
        }  # fmt: skip
        async with web(lambda seen: kinds[seen.path]) as url, door() as outside:
            for path, content in expected.items():
                assert (await http(outside, get(url + path))).output == content
                kept = kinds[path][2]
                encoded = base64.b64encode(kept).decode() if kept else None
                assert (await http(outside, get(url + path, output="raw"))).output == encoded
            for path in ("/wrong", "/deep"):
                assert problem(await http(outside, get(url + path)))[:2] == ("communication", 502)
            response = (await http(outside, get(f"{url}/json?a=1", headers={"X-A": "b"}, output="response"))).output
            assert response["request"]["method"] == "get"
            assert response["request"]["uri"] == f"{url}/json?a=1"
            assert response["request"]["headers"]["X-A"] == "b"
            assert (response["statusCode"], response["content"]) == (200, [1, {"a": None}])
            assert response["headers"]["x-many"] == "a"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "communication"), (401, "communication"), (403, "communication"), (404, "communication"),
     (418, "communication"), (500, "communication"), (503, "communication"), (599, "communication")],
)  # fmt: skip
def test_statuses_that_are_errors_have_their_status_and_say_nothing_of_the_answer(status: int, kind: str) -> None:
    async def scenario() -> None:
        async with web(lambda seen: answer({"hunter2": True}, status)) as url, door() as outside:
            found = problem(await http(outside, get(f"{url}/pets/7?token=hunter2", headers={"X": "hunter2"})))
            assert found[:2] == (kind, status)
            assert found[2].startswith(f"GET {url}/pets/7 answered {status}")
            assert "hunter2" not in found[2]

    asyncio.run(scenario())


def test_with_secrets_errors_and_outputs_show_no_more_than_the_origin() -> None:
    async def scenario() -> None:
        secrets = {"mine": {"key": "hunter2"}}
        async with web(lambda seen: answer({}, 200 if seen.method == "GET" else 404)) as url, door() as outside:
            for method in ("get", "post"):
                uri, headers = f"{url}/hunter2?k=hunter2", {"X-Key": "h2"}
                made = get(uri, method=method, headers=headers, output="response")
                found = await http(outside, made, secrets)
                assert "hunter2" not in str(found)
                assert "h2" not in str(found)
                assert url in str(found)

    asyncio.run(scenario())


async def _request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def test_a_call_that_is_cancelled_ends_its_request() -> None:
    async def scenario() -> None:
        arrived, gone = asyncio.Event(), asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _request(reader)
            arrived.set()
            assert await reader.read() == b""
            gone.set()

        async with raw(silent) as address, door() as outside, asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            call = tasks.create_task(http(outside, get(f"http://{address}/")))
            await arrived.wait()
            call.cancel()
            await gone.wait()

    asyncio.run(scenario())


@pytest.mark.parametrize("method", ["get", "put", "delete", "post"])
@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"SSH-2.0-x\r\n\r\n"])
def test_one_attempt_is_one_request_also_when_the_connection_breaks(method: str, says: bytes) -> None:
    async def scenario() -> None:
        requests = 0

        async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal requests
            await _request(reader)
            requests += 1
            writer.write(says)

        async with raw(breaks) as address, door() as outside:
            found = problem(await http(outside, get(f"http://{address}/", method=method, body={"a": 1})))
            assert found[:2] == ("communication", 502)
        assert requests == 1

    asyncio.run(scenario())


def test_no_answer_at_all_is_told_apart_by_whether_something_can_have_happened() -> None:
    async def scenario() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            async with door() as outside:
                assert problem(await http(outside, get(f"http://127.0.0.1:{port}/")))[:2] == ("communication", 503)
                assert problem(await http(outside, get("http://nobody.invalid/")))[:2] == ("communication", 503)
                assert problem(await http(outside, get(f"https://127.0.0.1:{port}/")))[:2] == ("communication", 503)

    asyncio.run(scenario())


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    async def scenario() -> None:
        async with web(lambda seen: answer(1)) as url, door() as outside:
            found = problem(await http(outside, get(url.replace("http:", "https:"))))
            assert found[:2] == ("communication", 502)
            assert "TLS" in found[2]

    asyncio.run(scenario())


def test_the_environment_names_no_proxy_and_no_cookie_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        requests: list[Seen] = []
        handler = lambda seen: answer(1, headers={"set-cookie": "run=1; Path=/"})  # noqa: E731
        async with web(handler, requests) as url, door() as outside:
            for _ in range(2):
                assert (await http(outside, get(url))).output == 1
        assert len(requests) == 2
        assert all("cookie" not in seen.headers for seen in requests)

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    asyncio.run(scenario())


def test_nothing_of_a_call_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with web(lambda seen: answer("hunter2", 500)) as url, door() as outside:
            await http(outside, get(f"{url}/hunter2", headers={"X": "hunter2"}, body="hunter2", method="post"))
            await http(outside, get("http://hunter2.invalid/hunter2"))

    with caplog.at_level(logging.DEBUG):
        asyncio.run(scenario())
    assert "hunter2" not in "".join(record.getMessage() for record in caplog.records if record.name != "asyncio")
