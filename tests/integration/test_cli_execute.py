"""``faas execute`` as users run it: the installed command, a real HTTP server behind it.

Tables of many cases run the same entry point in this process: a start costs 0.15 s.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.contracts.errors import MEANING, Code, ErrorBody, Exit
from tests.support.canned import Asked, Say, Server, canned_server
from tests.support.command import BIN, Done, Here, error, faas

USAGE = "Use like: faas execute [namespace]/[name] [parameters]\n"


def execute(server: Server, *arguments: str | bytes, **more: str) -> Done:
    return faas("execute", *arguments, FAAS_GATEWAY=server.url, **more)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capfd)


def adds(asked: Asked) -> Say:
    event = json.loads(asked.body)
    return Say(200, json.dumps(event["x"] + event["y"]).encode(), {"Content-Type": "application/json"})


def refuses_to_be_asked(asked: Asked) -> Say:
    raise AssertionError(f"nothing may reach the network, but this did: {asked}")


def test_success_prints_the_result() -> None:
    with canned_server(adds) as server:
        done = execute(server, "default/add", '{"x":3,"y":4}')
    assert (done.code, done.out, done.err) == (0, "execute function success, result: 7\n", "")
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/default/add", b'{"x":3,"y":4}')
    assert asked.headers["Content-Type"] == "application/json"
    assert "Prefer" not in asked.headers
    assert "Faas-Timeout-Ms" not in asked.headers
    assert "Authorization" not in asked.headers


def test_kubectl_plugin_is_the_same_command() -> None:
    with canned_server(adds) as server:
        done = faas("default/add", '{"x":3,"y":4}', command="kubectl-execute", FAAS_GATEWAY=server.url)
        assert (done.code, done.out) == (0, "execute function success, result: 7\n")
        assert faas("default/add", command="kubectl-execute", FAAS_GATEWAY=server.url).err.endswith(USAGE)


def test_module_is_the_same_command() -> None:
    with canned_server(adds) as server:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "execute", "default/add", '{"x":3,"y":4}'],
            capture_output=True, text=True, env={**os.environ, "FAAS_GATEWAY": server.url}, timeout=100, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "execute function success, result: 7\n")


@pytest.mark.parametrize("arguments", [[], ["default/add"]])
def test_missing_parameters(arguments: list[str]) -> None:
    done = faas("execute", *arguments)
    assert (done.code, done.out, done.err) == (2, "", "missing some parameters\n" + USAGE)


@pytest.mark.parametrize(("name", "empty"), [("/add", "namespace"), ("default/", "name"), ("/", "namespace")])
def test_empty_names_are_named(name: str, empty: str) -> None:
    done = faas("execute", name, "{}")
    assert (done.code, done.out, done.err) == (2, "", f"error: the {empty} is empty\n" + USAGE)


BAD_NAMES = [
    "add", "default/a.b", "default/*", "default/>", "*/add", "default/a b", "default/a/b", "default/" + "a" * 64,
    "a" * 64 + "/add", "default/Add", "Default/add", "default/ädd", "default/%61dd", "default/add%2f", "default/-add",
    "default/add-", "default/add\r\nX: y", "default/" + "a" * 6000, "..%2f../x", "../x", "default/add?x=1",
    "default/add#x",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_never_reach_the_network(name: str, here: Here) -> None:
    with canned_server(refuses_to_be_asked) as server:
        done = here(server, "execute", name, "{}")
    assert (done.code, done.out, server.asked) == (2, "", [])
    assert done.err.startswith("error: ")
    assert done.err.endswith(USAGE)
    assert len(done.err) < 400
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("{x: 1}", "line 1, column 2", "double quotes"),
        ('{"x":\n  3,\n  "y" 4}', "line 3, column 7", "Expecting ':'"),
        ('{"x": 3', "line 1, column 8", "the text ends"),
        ("", "line 1, column 1", "there is nothing"),
        ("{'x': 1}", "line 1, column 2", "double quotes"),
        ("NaN", "", "NaN is not a number in JSON"),
        ("nope", "line 1, column 1", "Expecting value"),
        (b'{"x": "\xff"}', "line 1, column 8", "0xff is not UTF-8"),
        ("1 2", "line 1, column 3", "Extra data"),
    ],
)
def test_invalid_json_says_where(text: str | bytes, where: str, what: str, here: Here) -> None:
    with canned_server(refuses_to_be_asked) as server:
        done = here(server, "execute", "default/add", os.fsdecode(text))
    assert (done.code, done.out, server.asked) == (2, "", [])
    assert done.err.startswith("error: the parameters are not valid JSON: ")
    assert where in done.err
    assert what in done.err


def test_deep_json_is_refused_without_a_traceback() -> None:
    done = faas("execute", "default/add", "-", stdin=b"[" * 100_000 + b"]" * 100_000)
    assert (done.code, done.out) == (2, "")
    assert done.err == "error: the parameters are not valid JSON: they are nested too deeply\n"


@pytest.mark.parametrize(("number", "said"), [("1" * 5000, "too many digits"), ("1e999", "Number out of range")])
def test_numbers_beyond_all_bounds_are_refused(number: str, said: str, here: Here) -> None:
    with canned_server(refuses_to_be_asked) as server:
        done = here(server, "execute", "default/add", number)
    assert (done.code, done.out, server.asked) == (2, "", [])
    assert said in done.err


def test_unquoted_json_gets_a_hint() -> None:
    done = faas("execute", "default/add", '{"x":', "3}")
    assert done.code == 2
    assert "hint: quote the JSON" in done.err


def test_parameters_from_standard_input_and_negative_numbers() -> None:
    with canned_server(lambda asked: Say(200, asked.body)) as server:
        done = faas("execute", "default/echo", "-", stdin=b'{"x": "\xc3\xa4"}\n', FAAS_GATEWAY=server.url)
        assert done.out == 'execute function success, result: {"x": "ä"}\n'
        assert execute(server, "default/echo", "-5").out == "execute function success, result: -5\n"
        assert execute(server, "--raw", "default/echo", "-5.5e3").out == "-5.5e3"
        assert execute(server, "default/echo", "--wait", "--", "-5").out == "execute function success, result: -5\n"


def test_bytes_in_and_out() -> None:
    picture = bytes(range(256)) * 100
    with canned_server(lambda asked: Say(200, asked.body[::-1], {"Content-Type": "image/png"})) as server:
        arguments = ("execute", "default/turn", "-", "--content-type", "image/jpeg")
        shown = faas(*arguments, stdin=picture, FAAS_GATEWAY=server.url)
        raw = subprocess.run(
            [str(BIN / "faas"), *arguments, "-r"],
            input=picture, capture_output=True, env={**os.environ, "FAAS_GATEWAY": server.url}, timeout=100, check=True,
        )  # fmt: skip
    assert shown.out == "execute function success, result: 25600 bytes of image/png\n"
    assert shown.err == "hint: --raw > FILE keeps them\n"
    assert (raw.stdout, raw.stderr) == (picture[::-1], b"")
    assert {asked.headers["Content-Type"] for asked in server.asked} == {"image/jpeg"}


def test_wait_and_timeout_travel_as_headers(here: Here) -> None:
    with canned_server(lambda _: Say(200, b"1")) as server:
        here(server, "execute", "default/add", "{}", "--wait")
        here(server, "execute", "--wait", "default/add", "{}")
        here(server, "execute", "default/add", "{}", "--wait=1m30s", "--timeout", "1.5s")
        here(server, "execute", "default/add", "{}", "--wait=2.1", "--timeout=30")
    sent = [(asked.headers.get("Prefer"), asked.headers.get("Faas-Timeout-Ms")) for asked in server.asked]
    assert sent == [("wait", None), ("wait", None), ("wait=90", "1500"), ("wait=3", "30000")]


@pytest.mark.parametrize(
    "option", ["--wait=soon", "--wait=2h", "--timeout=0", "--timeout=-1", "--timeout=2h", "--tiemout=1"]
)
def test_wrong_options_are_usage(option: str, here: Here) -> None:
    with canned_server(refuses_to_be_asked) as server:
        done = here(server, "execute", "default/add", "{}", option)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")


def test_starting_has_its_own_line(here: Here) -> None:
    answer = error(Code.FUNCTION_STARTING, "function default/add is starting: try again in 2 s", Retry_After="2")
    with canned_server(lambda _: answer) as server:
        done = here(server, "execute", "default/add", "{}")
        raw = here(server, "execute", "default/add", "{}", "--raw")
    assert done.out == "function default/add is starting, try again in 2 s\n"
    assert done.code == raw.code == Exit.UNAVAILABLE
    assert "hint: --wait" in done.err
    assert raw.out == ""
    assert raw.err.startswith("function default/add is starting, try again in 2 s\n")


@pytest.mark.parametrize("code", sorted(set(Code) - {Code.FUNCTION_STARTING}))
def test_every_code_has_its_exit_code(code: Code, here: Here) -> None:
    with canned_server(lambda _: error(code, "it was\tso \x1b[31m")) as server:
        done = here(server, "execute", "default/add", "{}")
    expected = f"execute function failed, code: {MEANING[code].status} msg: {code}: it was\tso \\x1b[31m\n"
    assert (done.code, done.out) == (MEANING[code].exit, expected)


def test_answers_of_others_are_shown_too() -> None:
    with canned_server(lambda _: Say(502, b"<h1>Bad gateway</h1>")) as server:
        done = execute(server, "default/add", "{}")
    assert (done.code, done.out) == (1, "execute function failed, code: 502 msg: <h1>Bad gateway</h1>\n")
    with canned_server(lambda _: Say(418)) as server:
        done = execute(server, "default/add", "{}")
    assert (done.code, done.out) == (1, "execute function failed, code: 418 msg: I'm a Teapot\n")


def test_details_are_decoded_as_the_contract_writes_them() -> None:
    body = b'{"code":"bad_request","message":"no","details":["a","b"]}'
    with canned_server(lambda _: Say(400, body)) as server:
        done = execute(server, "default/add", "{}")
    assert (
        done.out == f"execute function failed, code: 400 msg: bad_request: {ErrorBody('bad_request', 'no').message}\n"
    )


def test_a_broken_call_is_never_sent_twice() -> None:
    with canned_server(lambda _: Say(200, pieces=(b"half",), cut=True)) as server:
        done = execute(server, "default/add", "{}")
    assert len(server.asked) == 1
    assert (done.code, done.out) == (1, "")
    assert "broke off the connection" in done.err


def test_silence_ends_at_the_deadline() -> None:
    began = time.monotonic()
    with canned_server(lambda _: Say(hang=True)) as server:
        done = execute(server, "default/add", "{}", "--timeout", "1ms")
    assert (done.code, done.out) == (Exit.TIMED_OUT, "")
    assert "gave no answer within" in done.err
    assert time.monotonic() - began < 50


def test_no_gateway_is_said_with_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused
        refused = faas("execute", "default/add", "{}", FAAS_GATEWAY=f"http://127.0.0.1:{taken.getsockname()[1]}")
    never_started = faas("execute", "default/add", "{}", "--dir", str(tmp_path))
    for done in (refused, never_started):
        assert (done.code, done.out) == (Exit.UNAVAILABLE, "")
        assert "faas up" in done.err
    assert "cannot be reached: Connection refused" in refused.err
    assert f"no platform was started in {tmp_path}" in never_started.err


def test_something_else_at_the_address_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen(
            [str(BIN / "faas"), "execute", "default/add", "{}"],
            env={**os.environ, "FAAS_GATEWAY": address}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"220 mail.example ESMTP\r\n")
            _, err = process.communicate(timeout=100)
    assert process.returncode == Exit.UNAVAILABLE
    assert "does not answer as a gateway does" in err


def test_directory_and_tokens(tmp_path: Path) -> None:
    with canned_server(lambda _: Say(200, b"1")) as server:
        (tmp_path / "faas.json").write_text(json.dumps({"version": 1, "gateway": server.url, "token": "of-the-file"}))
        faas("execute", "default/add", "{}", FAAS_DIR=str(tmp_path))
        faas("execute", "default/add", "{}", "--dir", str(tmp_path), FAAS_GATEWAY="http://127.0.0.1:1")
        faas("execute", "default/add", "{}", "--dir", str(tmp_path), FAAS_TOKEN="mine")
    assert [asked.headers["Authorization"] for asked in server.asked] == [
        "Bearer of-the-file", "Bearer of-the-file", "Bearer mine",
    ]  # fmt: skip
    refused = faas("execute", "default/add", "{}", FAAS_GATEWAY=server.url, FAAS_TOKEN="two\nlines")
    assert (refused.code, refused.err[:17]) == (2, "error: FAAS_TOKEN")


def test_unauthorized_names_the_variable() -> None:
    with canned_server(lambda _: error(Code.UNAUTHORIZED, "this gateway asks for a token")) as server:
        done = execute(server, "default/add", "{}")
    assert done.code == 2
    assert "FAAS_TOKEN" in done.err
