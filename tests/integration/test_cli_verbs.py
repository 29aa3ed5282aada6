"""``list``, ``get``, ``delete``, ``logs``, ``events`` and the errors that all verbs share."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest
import yaml

from services.contracts.errors import Code
from tests.support.canned import Asked, Say, canned_server
from tests.support.command import BIN, Here, error, faas

READY = {"type": "Ready", "status": "True", "reason": "PodsReady"}
FAILED = {"type": "Ready", "status": "False", "reason": "CrashLoopBackOff", "message": "exit\x1b[2J code 1"}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    return Here(monkeypatch, capfd)


def function(namespace: str, name: str, condition: dict[str, str], **spec: Any) -> dict[str, Any]:
    status = {"revision": "abc", "replicas": 2, "readyReplicas": 1, "conditions": [condition]}
    meta = {"name": name, "namespace": namespace, "creationTimestamp": "2020-01-01T00:00:00Z"}
    return {"metadata": meta, "spec": {"source": {"inline": {"main.py": ""}}} | spec, "status": status}


ADD = function("default", "add", READY, scale={"min": 1})
BAD = function("default", "bad", FAILED, handler="main:app", source={"archive": "a" * 64})


def gives(path: str, document: Any) -> Any:
    def answer(asked: Asked) -> Say:
        if (asked.method, asked.path) != ("GET", path):
            return error(Code.NOT_FOUND, f"nothing at {asked.path}")
        return Say(200, json.dumps(document).encode())

    return answer


def test_list(here: Here) -> None:
    with canned_server(gives("/api/v1/namespaces/default/functions", {"items": [BAD, ADD]})) as server:
        done = here(server, "list")
        wide = here(server, "list", "-o", "wide")
        as_json = here(server, "list", "-o", "json")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["NAMESPACE", "NAME", "READY", "REASON", "PODS", "AGE"]
    assert [row[:5] for row in rows[1:]] == [
        ["default", "add", "True", "PodsReady", "1/2"],
        ["default", "bad", "False", "CrashLoopBackOff", "1/2"],
    ]
    assert [line.split()[-4:] for line in wide.out.splitlines()][1:] == [
        ["abc", "main:handle", "1", "10"],
        ["abc", "main:app", "0", "10"],
    ]
    assert json.loads(as_json.out) == {"items": [BAD, ADD]}
    assert (done.code, done.err) == (0, "")


def test_list_of_other_namespaces(here: Here) -> None:
    with canned_server(gives("/api/v1/namespaces/team/functions", {"items": []})) as server:
        done = here(server, "list", "-n", "team")
        assert (done.code, done.out, done.err) == (0, "", "no functions in the namespace team\n")
        assert here(server, "list", "-n", "Team").code == 2
    with canned_server(
        gives("/api/v1/functions", {"items": [function("b", "z", READY), function("a", "z", READY)]})
    ) as server:
        done = here(server, "list", "-A")
        assert [line.split()[0] for line in done.out.splitlines()] == ["NAMESPACE", "a", "b"]


def test_get(here: Here) -> None:
    with canned_server(gives("/api/v1/namespaces/default/functions/bad", BAD)) as server:
        done = here(server, "get", "default/bad")
        as_yaml = here(server, "get", "bad", "-o", "yaml")
        as_json = here(server, "get", "bad", "-n", "default", "-o", "json")
        absent = here(server, "get", "bad", "-n", "team")
    assert yaml.safe_load(as_yaml.out) == json.loads(as_json.out) == BAD
    assert "source      archive " + "a" * 64 in done.out
    assert "pods        1 ready of 2" in done.out
    assert done.out.splitlines()[-1].split("   ")[-1] == "exit\\x1b[2J code 1"
    assert (absent.code, absent.out) == (2, "")
    assert "nothing at /api/v1/namespaces/team/functions/bad (not_found)" in absent.err


def test_get_of_nothing_is_exit_code_3(here: Here) -> None:
    with canned_server(lambda _: error(Code.FUNCTION_NOT_FOUND, "function default/x does not exist")) as server:
        done = here(server, "get", "x")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("error: function default/x does not exist (function_not_found)\nhint: faas list")


@pytest.mark.parametrize("verb", ["get", "delete", "logs"])
@pytest.mark.parametrize("name", ["a.b", "../x", "default/%2e", "a/b/c", "A", "/", "x\r\n"])
def test_names_are_checked_first(verb: str, name: str, here: Here) -> None:
    with canned_server(lambda _: Say()) as server:
        done = here(server, verb, name)
        assert (done.code, done.out, server.asked) == (2, "", [])


def test_delete(here: Here) -> None:
    there = {"/api/v1/namespaces/default/functions/add": 3, "/api/v1/namespaces/team/functions/x": 1}

    def answer(asked: Asked) -> Say:
        there[asked.path] = there.get(asked.path, 0) - 1
        return Say(200, b"{}") if there[asked.path] >= 0 else error(Code.FUNCTION_NOT_FOUND, "function does not exist")

    with canned_server(answer) as server:
        done = here(server, "delete", "add", "team/x", "--wait")
        assert (done.code, done.out, done.err) == (0, "deleted default/add\ndeleted team/x\n", "")
        assert [asked.method for asked in server.asked] == ["DELETE", "GET", "GET", "GET", "DELETE", "GET"]
        server.asked.clear()
        there["/api/v1/namespaces/default/functions/add"] = 1
        some = here(server, "delete", "absent", "add")
        assert (some.code, some.out) == (3, "deleted default/add\n")
        assert here(server, "delete", "add", "B").code == 2
        assert len(server.asked) == 2


def test_logs(here: Here) -> None:
    pieces = (b"one\n", b"t", b"wo \xff\n", b"no end")
    with canned_server(lambda _: Say(200, pieces=pieces)) as server:
        done = faas("logs", "add", FAAS_GATEWAY=server.url)
        here(server, "logs", "team/add", "--tail", "5", "-f", "--previous")
        assert here(server, "logs", "add", "--tail", "-1").code == 2
    assert (done.code, done.out.encode(errors="surrogateescape")) == (0, b"".join(pieces))
    assert [asked.path for asked in server.asked] == [
        "/api/v1/namespaces/default/functions/add/logs",
        "/api/v1/namespaces/team/functions/add/logs?follow=true&previous=true&tail=5",
    ]


def test_logs_that_break_off_say_so(here: Here) -> None:
    with canned_server(lambda _: Say(200, pieces=(b"one\n",), cut=True)) as server:
        done = here(server, "logs", "add", "-f")
    assert (done.code, done.out) == (1, "one\n")
    assert "broke off the connection" in done.err


def test_a_closed_pipe_ends_quietly() -> None:
    with canned_server(lambda _: Say(200, b"line\n" * 100_000)) as server:
        shell = f"{BIN}/faas logs add | head -n 1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", shell], capture_output=True, text=True,
            env={**os.environ, "FAAS_GATEWAY": server.url}, timeout=100, check=True,
        )  # fmt: skip
    assert (done.stdout, done.stderr) == ("line\n141\n", "")


def cloud_event(verb: str, **data: Any) -> bytes:
    event = {
        "specversion": "1.0", "id": "1", "source": "/namespaces/default/functions/add",
        "time": "2026-01-02T03:04:05.5Z",
        "type": f"dev.faas.function.{verb}", "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return b"event: x\ndata: " + json.dumps(event).encode() + b"\n\n"


def test_events(here: Here) -> None:
    pieces = (
        b": \n\n",
        cloud_event("received", id="c1", via="nats"),
        cloud_event("completed", id="c1", status=200, durationMs=1.0),
    )
    with canned_server(lambda _: Say(200, pieces=pieces)) as server:
        done = here(server, "events", "-f", "--function", "add")
        as_json = here(server, "events", "-n", "team", "-f", "-o", "json")
        assert here(server, "events", "--function", "A").code == 2
        assert here(server, "events", "--for", "x").code == 2
    assert [line.split("  ", 1)[1] for line in done.out.splitlines()] == [
        "default/add  received   by nats  c1",
        "default/add  completed  200 in 1.0 ms  c1",
    ]
    assert [json.loads(line)["data"]["id"] for line in as_json.out.splitlines()] == ["c1", "c1"]
    assert [asked.path for asked in server.asked] == [
        "/api/v1/namespaces/default/events?function=add",
        "/api/v1/namespaces/team/events",
    ]


def test_events_end_by_themselves_without_follow(here: Here) -> None:
    scaled = cloud_event("scaled", replicas=1, previous=0, reason="load")
    with canned_server(lambda _: Say(200, pieces=(scaled,))) as server:
        assert here(server, "events", "--for", "60s").code == 0  # the stream ended first
    with canned_server(lambda _: Say(200, pieces=(scaled,), linger=True)) as server:
        done = here(server, "events", "--for", "200ms")
    assert (done.code, done.out.split("  ")[-1]) == (0, " 0 -> 1: load\n")


def test_ctrl_c_ends_a_followed_stream_quietly() -> None:
    with canned_server(lambda _: Say(200, pieces=(b"one\n",), linger=True)) as server:
        process = subprocess.Popen(
            [str(BIN / "faas"), "logs", "add", "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "FAAS_GATEWAY": server.url},
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"one\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=100)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_usage_errors_have_one_form(here: Here) -> None:
    with canned_server(lambda _: Say()) as server:
        for arguments in (["nope"], ["list", "--nope"], ["get"], ["list", "-o", "xml"]):
            done = here(server, *arguments)
            assert (done.code, done.out) == (2, "")
            assert done.err.startswith("error: ")
            assert "hint: faas" in done.err
        assert "Did you mean 'deploy'?" in here(server, "deplyo").err


def test_help_lists_every_verb() -> None:
    done = faas("--help")
    assert done.code == 0
    listed = {line.split()[0] for line in done.out.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed >= {"up", "down", "status", "deploy", "execute", "list", "get", "delete", "logs", "events"}
    assert "Usage: faas execute [OPTIONS]" in faas("execute", "--help").out


def test_without_a_verb_there_is_help_and_a_usage_error(here: Here) -> None:
    with canned_server(lambda _: Say()) as server:
        bare, version = here(server), here(server, "--version")
    assert (bare.code, bare.err) == (2, "")
    assert bare.out.startswith("Usage: faas [OPTIONS] COMMAND [ARGS]...")
    assert (version.code, version.out) == (0, f"faas {importlib.metadata.version('faas')}\n")


def test_an_unforeseen_error_is_one_line(here: Here) -> None:
    with canned_server(gives("/api/v1/namespaces/default/functions", {"items": 3})) as server:
        done = here(server, "list")
    assert done.code == 1
    assert done.err.startswith("error: TypeError: ")
    assert "Traceback" not in done.err


def test_what_is_not_json_is_no_gateway(here: Here) -> None:
    with canned_server(lambda _: Say(200, b"<html>")) as server:
        done = here(server, "list")
    assert done.code == 4
    assert "does not answer as a gateway does" in done.err


def test_a_choice_that_there_is_not_is_refused_with_those_that_there_are(here: Here) -> None:
    with canned_server(lambda _: Say(200, b"{}")) as server:
        done = here(server, "list", "-o", "xml")
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        "error: Invalid value for '--output' / '-o': 'xml' is not one of 'table', 'wide', 'json', 'yaml'."
    )


def test_execute_imports_nothing_that_it_does_not_use() -> None:
    heavy = (
        "nats",
        "kubernetes_asyncio",
        "aiohttp",
        "fastapi",
        "starlette",
        "uvicorn",
        "yaml",
        "asyncio",
        "rich",
        "cli.packing",
    )
    code = f"import sys, cli.execute; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout == "[]\n"
