"""One function through all three doors: the command, HTTP and a plain NATS client."""

import asyncio
import json
from pathlib import Path

import nats
import pytest

from tests.support.http import http
from tests.support.patience import PATIENCE
from tests.support.platform import Platform
from tests.support.source import write

ADD = 'def handle(event):\n    return event["x"] + event["y"]\n'


@pytest.fixture(scope="module")
def add(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write(tmp_path_factory.mktemp("doors") / "doors-add", ADD)
    platform.faas("deploy", str(folder), "--min", "1", check=True)
    return "default/doors-add"


def test_the_command_answers_with_the_result(platform: Platform, add: str) -> None:
    done = platform.faas("execute", add, '{"x":3,"y":4}')
    assert (done.code, done.out) == (0, "execute function success, result: 7\n")


def test_http_answers_with_the_result_and_tells_the_call(platform: Platform, add: str) -> None:
    answer = http("POST", f"{platform.gateway}/{add}", b'{"x":3,"y":4}')
    assert (answer.status, answer.body) == (200, b"7")
    assert answer.headers["faas-id"]
    assert answer.headers["faas-pod"].startswith("doors-add-")
    assert float(answer.headers["faas-duration"]) >= 0


def test_a_form_from_curl_is_read_as_json(platform: Platform, add: str) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert http("POST", f"{platform.gateway}/{add}", b'{"x":1,"y":1}', headers).body == b"2"


def test_a_plain_nats_client_needs_nothing_but_its_url(platform: Platform, add: str) -> None:
    async def request() -> tuple[bytes, dict[str, str]]:
        client = await nats.connect(platform.nats)
        try:
            reply = await client.request(f"faas.invoke.{add.replace('/', '.')}", b'{"x":3,"y":4}', timeout=PATIENCE)
            return reply.data, dict(reply.headers or {})
        finally:
            await client.close()

    data, headers = asyncio.run(request())
    assert data == b"7"
    assert headers["Faas-Status"] == "200"
    assert headers["Faas-Pod"].startswith("doors-add-")


def test_subscribers_see_a_call_received_and_completed_through_each_door(platform: Platform, add: str) -> None:
    async def watch() -> list[tuple[str, str]]:
        client = await nats.connect(platform.nats)
        try:
            subscription = await client.subscribe("faas.event.default.function.doors-add.*")
            await client.flush()
            await asyncio.to_thread(http, "POST", f"{platform.gateway}/{add}", b'{"x":1,"y":2}', {"Faas-Id": "by-http"})
            await client.request(
                "faas.invoke.default.doors-add", b"{}", timeout=PATIENCE, headers={"Faas-Id": "by-nats"}
            )
            seen = []
            while len(seen) < 4:
                event = json.loads((await subscription.next_msg(PATIENCE)).data)
                assert event["specversion"] == "1.0"
                assert event["source"] == "/namespaces/default/functions/doors-add"
                if event["data"]["id"] in ("by-http", "by-nats"):
                    seen.append((event["data"]["id"], event["type"]))
            return seen
        finally:
            await client.close()

    seen = asyncio.run(watch())
    for id_, end in (("by-http", "completed"), ("by-nats", "failed")):  # the second has no x
        assert [type_ for seen_id, type_ in seen if seen_id == id_] == [
            "dev.faas.function.received",
            f"dev.faas.function.{end}",
        ]


def test_get_describes_the_function(platform: Platform, add: str) -> None:
    answer = http("GET", f"{platform.gateway}/{add}")
    described = json.loads(answer.body)
    assert answer.status == 200
    assert (described["name"], described["namespace"]) == ("doors-add", "default")
    assert described["replicas"] == described["readyReplicas"] == 1
    assert described["revision"]
    assert {"type": "Ready", "status": "True"}.items() <= next(
        condition for condition in described["conditions"] if condition["type"] == "Ready"
    ).items()


def test_what_does_not_exist_is_said_so_at_every_door(platform: Platform) -> None:
    answer = http("POST", f"{platform.gateway}/default/absent", b"{}")
    assert answer.status == 404
    assert json.loads(answer.body)["code"] == answer.headers["faas-error"] == "function_not_found"
    assert http("GET", f"{platform.gateway}/default/absent").status == 404
    done = platform.faas("execute", "default/absent", "{}")
    assert done.code == 3
    assert "execute function failed, code: 404 msg: " in done.out + done.err
    assert "function_not_found" in done.out + done.err


def test_a_plain_client_cannot_read_the_platforms_own_subjects_nor_forge_an_event(platform: Platform) -> None:
    async def attempt() -> list[str]:
        problems: asyncio.Queue[str] = asyncio.Queue()

        async def on_error(error: Exception) -> None:
            problems.put_nowait(str(error).lower())

        client = await nats.connect(platform.nats, error_cb=on_error)
        try:
            await client.subscribe("faas.sys.>")
            await client.publish("faas.event.default.function.doors-add.completed", b"{}")
            async with asyncio.timeout(PATIENCE):
                return [await problems.get(), await problems.get()]
        finally:
            await client.close()

    problems = asyncio.run(attempt())
    assert all("permissions violation" in problem for problem in problems)


def test_an_asgi_application_is_called_with_method_path_query_and_headers(platform: Platform, tmp_path: Path) -> None:
    folder = write(
        tmp_path / "doors-asgi",
        """
        import json

        async def app(scope, receive, send):
            body = (await receive()).get("body", b"") if scope["type"] == "http" else b""
            names = {name.decode() for name, _ in scope.get("headers", [])}
            seen = [scope["method"], scope["path"], scope["query_string"].decode(), body.decode()]
            told = {"seen": seen, "secret": "authorization" in names, "agent": "user-agent" in names}
            headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2; Path=/")]
            await send({"type": "http.response.start", "status": 207, "headers": headers})
            await send({"type": "http.response.body", "body": json.dumps(told).encode()})
        """,
    )
    platform.faas("deploy", str(folder), "--handler", "main:app", "--min", "1", check=True)
    url = f"{platform.gateway}/api/v1/namespaces/default/functions/doors-asgi/proxy/some/path?q=1&r=%20"
    answer = http("PUT", url, b"text", {"Authorization": "Bearer x", "User-Agent": "t"})
    assert answer.status == 207
    assert json.loads(answer.body) == {
        "seen": ["PUT", "/some/path", "q=1&r=%20", "text"],
        "secret": False,
        "agent": True,
    }
    assert answer.all("set-cookie") == ["a=1", "b=2; Path=/"]
