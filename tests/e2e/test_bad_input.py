"""Bad input gets a clear error at every door, and nothing changes."""

import json
import re
import socket
import urllib.parse
from pathlib import Path

import pytest

from tests.support.http import http
from tests.support.platform import FAAS, Platform, run
from tests.support.source import write

NAMES = ["a.b", "*", ">", "a b", "a/b", "x" * 64, "Add", "naïve", "%2e%2e", "-a", "x" * 6000, ""]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_refused_by_the_command_before_anything_is_sent(platform: Platform, name: str) -> None:
    done = platform.faas("execute", f"default/{name}", "{}")
    assert done.code == 2
    assert done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", [name for name in NAMES if "/" not in name and name])
def test_names_are_refused_over_http(platform: Platform, name: str) -> None:
    answer = http("POST", f"{platform.gateway}/default/{urllib.parse.quote(name)}", b"{}")
    assert answer.status in (400, 414)
    assert json.loads(answer.body)["code"] == "invalid_name"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "missing some parameters"),
        (["default/add"], "missing some parameters"),
        (["/add", "{}"], "namespace"),
        (["default/", "{}"], "name"),
        (["default/add", '{"x":'], "JSON"),
    ],
)
def test_the_commands_usage_errors(platform: Platform, arguments: list[str], said: str) -> None:
    done = platform.faas("execute", *arguments)
    assert done.code == 2
    assert said in done.out + done.err
    if "JSON" not in said:
        assert "Use like: faas execute [namespace]/[name] [parameters]" in done.out + done.err


def test_a_body_over_the_limit_is_413_with_both_numbers(platform: Platform) -> None:
    answer = http("POST", f"{platform.gateway}/default/absent", b"x" * (8 * 1024 * 1024 + 1))
    assert answer.status == 413
    assert re.search(r"the body has 8388609 bytes; at most 83\d{5} ", json.loads(answer.body)["message"])


def test_a_control_character_in_a_header_is_refused(platform: Platform) -> None:
    parts = urllib.parse.urlsplit(platform.gateway)
    with socket.create_connection((parts.hostname, parts.port), 40) as raw:
        lines = ["POST /default/absent HTTP/1.1", f"Host: {parts.netloc}", "Faas-Id: a\x01b", "Content-Length: 2"]
        raw.sendall("\r\n".join(lines).encode() + b"\r\n\r\n{}")
        assert raw.recv(4096).split(b" ")[1] == b"400"


@pytest.mark.parametrize(
    ("header", "value"),
    [("Faas-Timeout-Ms", "soon"), ("Faas-Cold-Start", "perhaps"), ("Prefer", "wait=long"), ("Faas-Id", "a b")],
)
def test_a_header_with_another_meaning_is_refused_as_it_is_over_nats(
    platform: Platform, header: str, value: str
) -> None:
    answer = http("POST", f"{platform.gateway}/default/absent", b"{}", {header: value})
    assert (answer.status, answer.headers["faas-error"]) == (400, "invalid_header")
    assert header in json.loads(answer.body)["message"]


@pytest.mark.parametrize(("header", "value"), [("Host", "evil.example"), ("Origin", "http://evil.example")])
def test_foreign_hosts_and_origins_are_refused(platform: Platform, header: str, value: str) -> None:
    assert http("POST", f"{platform.gateway}/default/absent", b"{}", {header: value}).status in (403, 421)


BROKEN = [
    ("no-handler", "def other(event):\n    return 1\n", "handle"),
    ("no-import", "import nothing_of_that_name\n\ndef handle(event):\n    return 1\n", "nothing_of_that_name"),
    ("syntax", "def handle(event)\n    return 1\n", "main.py"),
    ("raises-at-import", "raise RuntimeError('at import')\n\ndef handle(event):\n    return 1\n", "at import"),
]


@pytest.mark.parametrize(("name", "source", "said"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_a_function_that_cannot_start_says_why(
    platform: Platform, tmp_path: Path, name: str, source: str, said: str
) -> None:
    done = platform.faas("deploy", str(write(tmp_path / name, source)), "--wait-timeout", "60s")
    assert done.code in (1, 2)
    assert said in done.out + done.err


FAILING = [
    ("unencodable", "def handle(event):\n    return object()\n", "result_not_encodable"),
    ("exits", "import sys\n\ndef handle(event):\n    sys.exit(3)\n", "handler_exited"),
    ("raises", "def handle(event):\n    raise ValueError('no good')\n", "handler_failed"),
    ("slow", "import time\n\ndef handle(event):\n    time.sleep(30)\n", "handler_timeout"),
]


@pytest.mark.parametrize(("name", "source", "code"), FAILING, ids=[name for name, _, _ in FAILING])
def test_a_handler_that_fails_gives_a_stable_code(
    platform: Platform, tmp_path: Path, name: str, source: str, code: str
) -> None:
    platform.faas(
        "deploy", str(write(tmp_path / f"failing-{name}", source)), "--min", "1", "--timeout", "1s", check=True
    )
    url = f"{platform.gateway}/default/failing-{name}"
    for _ in range(2):  # the function survives its failure
        answer = http("POST", url, b"{}")
        assert json.loads(answer.body)["code"] == answer.headers["faas-error"] == code
    assert b"Traceback" not in answer.body


def test_a_process_that_vanishes_under_a_call_is_answered(platform: Platform, tmp_path: Path) -> None:
    source = "import os\n\ndef handle(event):\n    os._exit(3)\n"
    platform.faas("deploy", str(write(tmp_path / "vanishes", source)), "--min", "1", check=True)
    answer = http("POST", f"{platform.gateway}/default/vanishes", b"{}")
    assert (answer.status, answer.headers["faas-error"]) == (502, "outcome_unknown")


def test_a_body_that_is_not_json_is_the_callers_fault(platform: Platform, tmp_path: Path) -> None:
    folder = write(tmp_path / "wants-json", "def handle(event):\n    return event\n")
    platform.faas("deploy", str(folder), "--min", "1", check=True)
    answer = http("POST", f"{platform.gateway}/default/wants-json", b"{not json")
    assert (answer.status, answer.headers["faas-error"]) == (400, "bad_request")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scael": {}}, "scale"),
        ({"timeout": "soon"}, "timeout"),
        ({"scale": {"min": 3, "max": 2}}, "min"),
        ({"concurrency": "many"}, "concurrency"),
    ],
)
def test_manifests_with_wrong_fields_are_refused_naming_them(
    platform: Platform, change: dict[str, object], said: str
) -> None:
    manifest = {
        "apiVersion": "faas.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "refused"},
        "spec": {"source": {"inline": {"main.py": "def handle(e): return 1"}}} | change,
    }
    url = f"{platform.gateway}/api/v1/namespaces/default/functions"
    answer = http("POST", url, json.dumps(manifest).encode(), {"Content-Type": "application/json"})
    assert answer.status == 422
    assert said in answer.body.decode()
    assert http("GET", f"{url}/refused").status == 404


def test_a_port_in_use_is_said_so(platform: Platform, tmp_path: Path) -> None:
    port = urllib.parse.urlsplit(platform.gateway).port
    done = run(
        FAAS, "up", "--detach", "--dir", str(tmp_path), "--gateway-port", str(port), "--nats-port", "0", timeout=100
    )
    assert done.code == 1
    assert f"port {port}" in done.err
    assert "--gateway-port" in done.err
