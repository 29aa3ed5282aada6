"""A function that cannot be served ends its Pod with one clear line, which is also the termination message."""

import json
import socket

import pytest

from tests.support.patience import PATIENCE, eventually
from tests.support.runtime import failed_start, free_address, pod

GOOD = "def handle(event):\n    return event"


@pytest.mark.parametrize(
    ("main", "env", "reason"),
    [
        (
            GOOD,
            {"FAAS_HANDLER": "absent:handle"},
            "handler absent:handle: there is no module 'absent' in the function's source",
        ),
        (GOOD, {"FAAS_HANDLER": "main:run"}, "handler main:run: module 'main' has no attribute 'run' (it has handle)"),
        (
            GOOD,
            {"FAAS_HANDLER": "main.handle"},
            "FAAS_HANDLER must look like module:attribute (main:handle), but is 'main.handle'",
        ),
        ("handle = 5", {}, "handler main:handle: 'handle' is of type int, not a function"),
        (
            "import missing_dependency",
            {},
            "No module named 'missing_dependency' (is it missing from the requirements?)",
        ),
        (
            "x = 1\nraise ValueError('no\\nconfig')",
            {},
            "importing 'main' failed: ValueError: no config (main.py, line 2)",
        ),
        ("import sys\nsys.exit(4)", {}, "importing 'main' failed: SystemExit: 4 (main.py, line 2)"),
        (
            "def handle(event:\n  pass",
            {},
            "importing 'main' failed: SyntaxError: '(' was never closed (main.py, line 1)",
        ),
        ("def handle(): pass", {}, "handler main:handle must take (event) or (event, context), but is handle()"),
        ("def handle(a, b, c): pass", {}, "must take (event) or (event, context), but is handle(a, b, c)"),
        ("def handle(event, *, key): pass", {}, "must take (event) or (event, context), but is handle(event, *, key)"),
        (GOOD, {"FAAS_TIMEOUT_MS": "1.5"}, "FAAS_TIMEOUT_MS must be a whole number from 1 to 86400000, but is '1.5'"),
        (GOOD, {"FAAS_CONCURRENCY": "0"}, "FAAS_CONCURRENCY must be a whole number from 1 to 1000, but is '0'"),
        (GOOD, {"PORT": "http"}, "PORT must be a whole number from 0 to 65535, but is 'http'"),
        (None, {"FAAS_SOURCE_INLINE": "[]"}, "FAAS_SOURCE_INLINE must be a JSON object of path to text"),
        (None, {"FAAS_SOURCE_INLINE": '{"../x.py": ""}'}, "'../x.py' is no path inside the function's folder"),
        (None, {"FAAS_SOURCE_INLINE": '{"/x.py": ""}'}, "'/x.py' is no path inside the function's folder"),
        (GOOD, {"FAAS_ARCHIVE_URL": "http://h/x", "FAAS_ARCHIVE_SHA256": "0" * 64}, "a function has one source"),
        (
            None,
            {"FAAS_ARCHIVE_URL": "http://h/x", "FAAS_ARCHIVE_SHA256": "0"},
            "FAAS_ARCHIVE_SHA256 must be 64 hexadecimal",
        ),
    ],
)
def test_fatal_start(main: str | None, env: dict[str, str], reason: str) -> None:
    ended = failed_start(main, **env)
    assert ended.code == 1
    assert ended.last_line.startswith("faas: cannot start: ")
    assert reason in ended.last_line
    assert ended.last_line.endswith(ended.reason)
    if "ValueError" in reason:
        assert 'main.py", line 2, in <module>\n' in ended.log  # the author's own traceback, in the log only
        assert "faas_runtime/" not in ended.log
    assert ended.log.count("Traceback") <= 1


def test_port_in_use() -> None:
    host, port = free_address()
    with socket.socket() as other:
        other.bind((host, port))
        other.listen()
        ended = failed_start(GOOD, HOST=host, PORT=str(port))
    assert (ended.code, ended.reason) == (1, f"cannot listen on {host}:{port}: Address already in use")


def test_repeated_crash_while_starting_ends_the_pod() -> None:
    ended = failed_start("import os\nos._exit(9)")
    assert ended.code == 1
    assert ended.reason == "the function's process exited with code 9 while starting, 3 times"


def test_not_ready_before_the_handler_is_loaded() -> None:
    main = """
        import os, pathlib, time
        gate = pathlib.Path(os.environ["GATE"])
        while not gate.exists():
            time.sleep(0.01)
        def handle(event):
            return event
    """
    with pod(None, ready=False, FAAS_SOURCE_INLINE="{}") as probe:
        gate = probe.folder / "gate"
        with pod(main, ready=False, GATE=str(gate)) as running:
            eventually(lambda: running._listens(), "the Pod listens")
            with running.connect() as early:
                early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                early.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    early.recv(100)
                gate.touch()
                early.settimeout(PATIENCE)
                assert early.recv(100).startswith(b"HTTP/1.1 200 OK\r\n")


def test_user_code_sees_no_platform_variables() -> None:
    main = """
        import os
        SEEN = dict(os.environ)
        def handle(event):
            return SEEN
    """
    with pod(main, GREETING="hello", FAAS_ARCHIVE_TOKEN="secret") as running:
        seen = json.loads(running.call(1).body)
    assert {name for name in seen if name.startswith("FAAS_")} == {"FAAS_NAMESPACE", "FAAS_FUNCTION", "FAAS_REVISION"}
    assert seen["GREETING"] == "hello"
    assert "secret" not in seen.values()


def test_own_packages_may_have_our_names() -> None:
    source = {
        "main.py": "import services, cli.tool, msgspec, httptools, uvloop, yaml\n"
        "def handle(event):\n"
        "    return [services.WHO, cli.tool.WHO, msgspec.WHO, httptools.WHO, uvloop.WHO, yaml.WHO]\n",
        "services/__init__.py": "from .inner import WHO",
        "services/inner.py": "WHO = 'mine'",
        "cli/tool.py": "WHO = 'mine too'",  # a namespace package: no __init__.py
        **{f"{name}.py": f"WHO = {name!r}" for name in ("msgspec", "httptools", "uvloop", "yaml")},
    }
    with pod(None, FAAS_SOURCE_INLINE=json.dumps(source)) as running:
        assert json.loads(running.call(1).body) == ["mine", "mine too", "msgspec", "httptools", "uvloop", "yaml"]


def test_the_platforms_packages_are_out_of_reach() -> None:
    main = """
        import importlib.util
        def handle(event):
            return [name for name in event if importlib.util.find_spec(name) is not None]
    """
    with pod(main) as running:
        names = ["services", "cli", "fastapi", "nats", "yaml", "json", "sqlite3", "faas_runtime"]
        assert json.loads(running.call(names).body) == ["json", "sqlite3", "faas_runtime"]


def test_a_module_with_a_standard_name_is_pointed_out() -> None:
    source = {"main.py": GOOD, "queue.py": ""}
    with pod(None, FAAS_SOURCE_INLINE=json.dumps(source)) as running:
        assert running.call(1).status == 200
        assert "the function's 'queue' has the name of a module of Python" in running.log
