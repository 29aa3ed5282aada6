"""Every shape a handler may have, what goes in and what comes out, through the real process."""

import json

import pytest

from tests.support.runtime import pod

ADD = """
    def handle(event):
        return {"result": event["x"] + event["y"]}
"""


@pytest.mark.parametrize(
    ("main", "body", "content_type", "expected"),
    [
        (ADD, b'{"x":3,"y":4}', "application/json", b'{"result":7}'),
        ("async def handle(event):\n    return event", b'[1, "a", null]', "application/json", b'[1,"a",null]'),
        ("def handle(event: dict):\n    return sorted(event)", b'{"b":1,"a":2}', "application/json", b'["a","b"]'),
        ("def handle(event):\n    return event", b"", "application/json", b"null"),
        ("def handle(*events):\n    return list(events)", b"1", "application/json", b"[1]"),
        ("def handle(event, retries=3):\n    return retries", b"1", "application/json", b"3"),
        ("def handle(body: bytes):\n    return body[::-1]", b"\x00\xffab", "application/octet-stream", b"ba\xff\x00"),
        ("def handle(body: 'bytes'):\n    return len(body)", b"{", "application/json", b"1"),
        (
            "def handle(text: str):\n    return text.upper()",
            "grün".encode(),
            "text/plain; charset=utf-8",
            "GRÜN".encode(),
        ),
        (
            "from __future__ import annotations\nasync def handle(text: str):\n    return text * 2",
            b"ab",
            "text/plain; charset=utf-8",
            b"abab",
        ),
        ("def handle(event):\n    return bytearray(b'ab')", b"1", "application/octet-stream", b"ab"),
        ("def handle(event):\n    pass", b"1", "application/json", b"null"),
        (
            "import dataclasses, datetime\n@dataclasses.dataclass\nclass Day:\n    day: datetime.date\n"
            "def handle(event):\n    return Day(datetime.date(2026, 1, 2))",
            b"1",
            "application/json",
            b'{"day":"2026-01-02"}',
        ),
        (
            "class Counter:\n    def __call__(self, event):\n        return event + 1\nhandle = Counter()",
            b"1",
            "application/json",
            b"2",
        ),
        (
            "class A:\n    async def __call__(self, event, context):\n        return context.function\nhandle = A()",
            b"1",
            "application/json",
            b"probe",
        ),
        (
            "import functools\ndef add(y, event):\n    return event + y\nhandle = functools.partial(add, 5)",
            b"1",
            "application/json",
            b"6",
        ),
        (
            "import functools\ndef quiet(f):\n    @functools.wraps(f)\n    def inner(*args):\n        return f(*args)\n"
            "    return inner\n@quiet\ndef handle(body: bytes, context):\n    return [len(body), context.revision]",
            b"abc",
            "application/json",
            b'[3,"probe-1"]',
        ),
    ],
)
def test_shape(main: str, body: bytes, content_type: str, expected: bytes) -> None:
    if expected == b"probe":
        content_type = "text/plain; charset=utf-8"
    with pod(main) as running:
        # whatever the content type says: `curl -d` sends a form's
        answer = running.call(body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, content_type, expected)
    assert float(answer.headers["faas-duration"]) >= 0


def test_handler_in_a_package_and_nested_attribute() -> None:
    source = {
        "shop/__init__.py": "",
        "shop/orders.py": "from .prices import P\nclass Api:\n    @staticmethod\n    def price(e):\n        return P",
        "shop/prices.py": "P = 12",
    }
    with pod(None, FAAS_SOURCE_INLINE=json.dumps(source), FAAS_HANDLER="shop.orders:Api.price") as running:
        assert running.call(1).body == b"12"


def test_context() -> None:
    main = """
        import time
        def handle(event, context):
            return {
                "id": context.id, "names": [context.namespace, context.function, context.revision],
                "trace": context.traceparent, "headers": context.headers, "remaining": context.remaining(),
                "deadline": context.deadline - time.monotonic(), "same": context.id == context.id,
                "where": [context.method, context.path, context.query],
                "logged": context.log("hello", size=3),
            }
    """
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with pod(main) as running:
        headers = {"Faas-Id": "c-1", "traceparent": trace, "X-Mixed": "Gr", "Faas-Timeout-Ms": "2000"}
        seen = json.loads(running.call(1, headers).body)
        proxied = json.loads(
            running.call(None, {"Faas-Proxy": "1"}, method="DELETE", path="/items/7?soft=1&x=%20").body
        )
        log = running.log
    assert (seen["id"], seen["trace"], seen["same"]) == ("c-1", trace, True)
    assert seen["names"] == ["default", "probe", "probe-1"]
    assert seen["headers"]["x-mixed"] == "Gr"
    assert 1.5 < seen["remaining"] <= 2.0
    assert 1.5 < seen["deadline"] <= 2.0
    assert seen["where"] == ["POST", "/", ""]
    assert proxied["where"] == ["DELETE", "/items/7", "soft=1&x=%20"]
    assert len(proxied["id"]) == 32
    assert proxied["remaining"] > 4.0
    assert "hello size=3 call=c-1\n" in log


def test_response() -> None:
    main = """
        from faas_runtime import Response
        ANSWERS = {
            "teapot": Response({"a": 1}, 418, {"X-One": "1", "Faas-Error": "busy", "Connection": "close"}),
            "bytes": Response(b"\\x00", content_type="image/png"),
            "text": Response("ü"),
            "empty": Response(status=204),
            "typed": Response("<p>", headers={"content-type": "text/html"}),
        }
        def handle(event):
            return ANSWERS[event]
    """
    with pod(main) as running:
        teapot, image, text, empty, typed = (
            running.call(name) for name in ("teapot", "bytes", "text", "empty", "typed")
        )
    assert (teapot.status, teapot.body, teapot.headers["x-one"]) == (418, b'{"a":1}', "1")
    assert "faas-error" not in teapot.headers  # only the runtime may say that nothing was started
    assert "connection" not in teapot.headers
    assert (image.body, image.headers["content-type"]) == (b"\x00", "image/png")
    assert (text.body.decode(), text.headers["content-type"]) == ("ü", "text/plain; charset=utf-8")
    assert (empty.status, empty.body, "content-length" in empty.headers) == (204, b"", False)
    assert typed.all("content-type") == ["text/html"]


def test_cloudevents_in_both_modes_and_back() -> None:
    main = """
        from __future__ import annotations
        from faas_runtime import CloudEvent
        def handle(event: CloudEvent):
            if event.type == "echo":
                return event
            return [event.id, event.source, event.type, event.subject, event.extensions, repr(event.data)]
    """
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-tenant": "a%20b"}
    structured = {
        "specversion": "1.0",
        "id": "2",
        "source": "/s",
        "type": "echo",
        "subject": "x",
        "data": {"n": 1},
        "k": 5,
    }
    with pod(main) as running:
        plain = running.call(b'{"n":1}', binary | {"Content-Type": "application/json"})
        text = running.call(b"hi", binary | {"Content-Type": "text/plain"})
        raw = running.call(b"\xff", binary | {"Content-Type": "image/png"})
        echo = running.call(structured, {"Content-Type": "application/cloudevents+json; charset=utf-8"})
        coded = running.call(
            {**structured, "data": None, "data_base64": "/w==", "type": "t"},
            {"Content-Type": "application/cloudevents+json"},
        )
        neither = running.call({"n": 1})
    assert json.loads(plain.body) == ["1", "/s", "t", None, {"tenant": "a b"}, "{'n': 1}"]
    assert json.loads(text.body)[5] == "'hi'"
    assert json.loads(raw.body)[5] == repr(b"\xff")
    assert (echo.headers["content-type"], json.loads(echo.body)) == ("application/cloudevents+json", structured)
    assert json.loads(coded.body)[5] == repr(b"\xff")
    assert (neither.status, neither.headers["faas-error"]) == (400, "bad_request")
    assert b"no CloudEvent" in neither.body


def test_an_annotation_for_type_checkers_alone_counts() -> None:
    main = """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            from faas_runtime import CloudEvent, Context
        def handle(event: CloudEvent, where: Context = None):
            return [event.id, where.function]
    """
    headers = {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "/s", "ce-type": "t"}
    with pod(main) as running:
        assert json.loads(running.call(None, headers).body) == ["7", "probe"]


def test_output_goes_to_the_log_line_by_line() -> None:
    main = """
        import os, subprocess, sys
        print("at import")
        def handle(event):
            print("grün", "und", "blau")
            print("to stderr", file=sys.stderr)
            print("half", end="")
            print(" a line")
            subprocess.run(["echo", "from a child"], check=True)
    """
    with pod(main) as running:
        assert running.call(1).status == 200
        assert running.log.splitlines() == ["at import", "grün und blau", "to stderr", "half a line", "from a child"]


def test_other_paths_and_methods_are_for_the_proxy_address() -> None:
    with pod(ADD) as running:
        assert running.call({"x": 1, "y": 2}, path="/?a=b").body == b'{"result":3}'
        assert running.call(None, method="GET").status == 405
        assert running.call(1, path="/other").status == 404
        assert (
            running.call({"x": 1, "y": 2}, {"Faas-Proxy": "1"}, method="PUT", path="/healthz").body == b'{"result":3}'
        )
