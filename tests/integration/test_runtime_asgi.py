"""ASGI applications as functions."""

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import fastapi
import pytest

from tests.support.patience import eventually
from tests.support.runtime import Pod, failed_start, pod

APPLICATION = """
    import asyncio, json
    from testgate import async_gate

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            assert (await receive())["type"] == "lifespan.startup"
            scope["state"]["greeting"] = "hello"
            await send({"type": "lifespan.startup.complete"})
            assert (await receive())["type"] == "lifespan.shutdown"
            print("application stopped", flush=True)
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        path = scope["path"]
        if path == "/fail":
            raise ValueError("no such thing")
        if path == "/exit":
            raise SystemExit(2)
        if path == "/silent":
            return
        if path == "/slow":
            await asyncio.sleep(60)
        if path == "/wait":
            return await receive()
        start = {"type": "http.response.start", "status": 201, "headers": [
            (b"content-type", b"application/json"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"),
            (b"content-length", b"999"), (b"faas-error", b"busy")]}
        if path == "/split":
            start["headers"].append((b"x", b"a\\r\\nb: c"))
        await send(start)
        if path == "/half":
            raise ValueError("half way")
        if path == "/big":
            for _ in range(9):
                await send({"type": "http.response.body", "body": bytes(1024 * 1024), "more_body": True})
        if path == "/stream":
            for number in range(5):
                await send({"type": "http.response.body", "body": b"%d," % number, "more_body": True})
                await asyncio.sleep(0)
        seen = {key: scope[key] for key in ("type", "http_version", "method", "scheme", "path", "root_path", "state")}
        seen |= {"raw_path": scope["raw_path"].decode(), "query": scope["query_string"].decode(), "body": body.decode()}
        seen["headers"] = [[name.decode(), value.decode()] for name, value in scope["headers"]]
        await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
        if path == "/background":
            await async_gate()
            print("background done", flush=True)
"""


@pytest.fixture(scope="module")
def application() -> Iterator[Pod]:
    with pod(APPLICATION, FAAS_HANDLER="main:app", FAAS_TIMEOUT_MS="15000") as running:
        yield running


def test_scope(application: Pod) -> None:
    headers = {"Faas-Proxy": "1", "X-Mixed-Case": "yes"}
    answer = application.call(b"body", headers, method="PATCH", path="/items/%C3%BC%2Fx?a=1&b=%20")
    seen = json.loads(answer.body)
    assert answer.status == 201
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "faas-error" not in answer.headers
    assert (seen["method"], seen["path"], seen["raw_path"]) == ("PATCH", "/items/ü/x", "/items/%C3%BC%2Fx")
    assert (seen["query"], seen["body"], seen["state"]) == ("a=1&b=%20", "body", {"greeting": "hello"})
    assert (seen["type"], seen["scheme"], seen["http_version"], seen["root_path"]) == ("http", "http", "1.1", "")
    assert ["x-mixed-case", "yes"] in seen["headers"]


def test_plain_call_and_absolute_form(application: Pod) -> None:
    assert json.loads(application.call({"x": 3}).body)["body"] == '{"x": 3}'
    with application.connect() as connection:
        connection.sendall(b"GET http://host/some/path?q HTTP/1.1\r\nHost: host\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
    assert b'"path": "/some/path"' in answer
    assert b'"query": "q"' in answer


def test_healthz_is_the_runtimes_unless_proxied(application: Pod) -> None:
    assert application.call(method="GET", path="/healthz").body == b"ok\n"
    assert application.call(None, {"Faas-Proxy": "1"}, method="GET", path="/healthz").status == 201


def test_streams_are_collected(application: Pod) -> None:
    answer = application.call(path="/stream")
    assert answer.body.startswith(b"0,1,2,3,4,{")


def test_head_keeps_the_applications_length(application: Pod) -> None:
    answer = application.call(None, method="HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (201, b"", "999")


@pytest.mark.parametrize(
    ("path", "status", "code", "message"),
    [
        ("/fail", 500, "handler_failed", "ValueError: no such thing"),
        ("/half", 500, "handler_failed", "ValueError: half way"),
        ("/exit", 500, "handler_exited", "the handler called sys.exit with 2"),
        ("/silent", 500, "handler_failed", "the application ended without a complete response"),
        ("/split", 500, "handler_failed", "ValueError: header x cannot have the value 'a\\r\\nb: c'"),
        ("/big", 500, "result_too_large", "the result has 9437184 bytes, the limit is 8380416"),
        ("/slow", 504, "handler_timeout", "the handler did not finish within 300 ms"),
        ("/wait", 504, "handler_timeout", "the handler did not finish within 300 ms"),
    ],
)
def test_failures(application: Pod, path: str, status: int, code: str, message: str) -> None:
    answer = application.call(path=path, headers={"Faas-Timeout-Ms": "300"})
    assert (answer.status, answer.headers["faas-error"]) == (status, code)
    found = json.loads(answer.body)["message"]
    assert found == message or (code == "result_too_large" and found.endswith("the limit is 8380416"))
    assert application.call().status == 201


def test_background_work_keeps_no_caller_waiting(application: Pod) -> None:
    assert application.call(path="/background").status == 201
    assert "background done" not in application.log
    application.open_gate()
    eventually(lambda: "background done" in application.log, "the work after the answer has ended")


def test_lifespan_ends_with_the_pod() -> None:
    with pod(APPLICATION, FAAS_HANDLER="main:app") as running:
        assert running.stop() == 0
        assert "application stopped" in running.log


def test_start_up_that_fails_is_fatal() -> None:
    main = """
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "Traceback …\\nKeyError: 'DATABASE'\\n"})
    """
    ended = failed_start(main, FAAS_HANDLER="main:app")
    assert (ended.code, ended.reason) == (1, "the application's start-up failed: KeyError: 'DATABASE'")
    assert "Traceback …\n" in ended.log


ANSWER = """
{0}await send({{"type": "http.response.start", "status": 200, "headers": []}})
{0}await send({{"type": "http.response.body", "body": b"ok"}})
"""


@pytest.mark.parametrize(
    "main",
    [
        "async def app(scope, receive, send):\n    assert scope['type'] == 'http'" + ANSWER.format("    "),
        "class App:\n    async def __call__(self, scope, receive, send):\n"
        "        if scope['type'] == 'lifespan':\n            return" + ANSWER.format("        ") + "app = App()",
    ],
)
def test_an_application_without_lifespan(main: str) -> None:
    with pod(main, FAAS_HANDLER="main:app") as running:
        assert running.call().body == b"ok"
        assert running.stop() == 0


def test_a_fastapi_application(tmp_path: Path) -> None:
    """A real framework, as an archive brings it: with its packages beside the code."""
    digest = "fa" * 32
    code, packages = tmp_path / digest / "code", tmp_path / digest / "packages"
    code.mkdir(parents=True)
    packages.mkdir()
    (tmp_path / digest / "faas-archive.json").write_text('{"version": 1}')
    for entry in Path(fastapi.__file__).parents[1].iterdir():
        if entry.suffix != ".pth" and not entry.name.startswith(("msgspec", "httptools", "uvloop")):
            (packages / entry.name).symlink_to(entry)
    (code / "main.py").write_text(
        textwrap.dedent("""
            from fastapi import BackgroundTasks, FastAPI, HTTPException
            from fastapi.responses import StreamingResponse
            from pydantic import BaseModel

            class Pair(BaseModel):
                x: int
                y: int

            app = FastAPI()

            @app.post("/")
            async def add(pair: Pair):
                return {"result": pair.x + pair.y}

            @app.get("/items/{item}")
            def item(item: int, tasks: BackgroundTasks, q: str = ""):
                if item == 404:
                    raise HTTPException(404, "no such item")
                tasks.add_task(print, "later")
                return {"item": item, "q": q}

            @app.get("/stream")
            def stream():
                return StreamingResponse((f"{n}," for n in range(5)), media_type="text/plain")
        """)
    )
    env = {"FAAS_ARCHIVE_URL": "http://127.0.0.1:1/", "FAAS_ARCHIVE_SHA256": digest, "FAAS_CACHE_DIR": str(tmp_path)}
    with pod(None, FAAS_HANDLER="main:app", **env) as running:
        as_json = {"Content-Type": "application/json"}
        assert running.call({"x": 3, "y": 4}, as_json).body == b'{"result":7}'
        assert running.call({"x": "three"}, as_json).status == 422
        assert json.loads(running.call(method="GET", path="/items/5?q=a%20b").body) == {"item": 5, "q": "a b"}
        assert running.call(method="GET", path="/items/404").status == 404
        streamed = running.call(method="GET", path="/stream")
        assert (streamed.body, streamed.headers["content-type"]) == (b"0,1,2,3,4,", "text/plain; charset=utf-8")
        assert running.call(method="GET", path="/docs").status == 200
        eventually(lambda: "later" in running.log, "the background task has run")
