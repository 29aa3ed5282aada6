"""What the command line makes of the platform's answers: verdicts, events, tables, addresses, durations."""

from pathlib import Path
from typing import Any

import pytest

from cli import events, target
from cli.client import Answer
from cli.options import function_ref, seconds
from cli.output import Failure, clean, since
from cli.packing.platforms import Platform
from cli.packing.requirements import _PINNED, Requirements, _explained, find
from cli.rollout import verdict


def function(observed: int, **conditions: tuple[str, str]) -> dict[str, Any]:
    listed = [{"type": type_, "status": status, "reason": reason} for type_, (status, reason) in conditions.items()]
    return {"status": {"observedGeneration": observed, "conditions": listed}}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, "waiting"),
        ({"status": None}, "waiting"),
        (function(1, Ready=("True", "PodsReady"), Progressing=("True", "Complete")), "waiting"),  # the spec before
        (function(2), "waiting"),
        (function(2, Ready=("Unknown", "Starting"), Progressing=("True", "Starting")), "waiting"),
        (function(2, Ready=("True", "PodsReady"), Progressing=("True", "Updating")), "waiting"),
        (function(2, Ready=("True", "PodsReady"), Progressing=("True", "Draining")), "ready"),
        (function(2, Ready=("True", "PodsReady"), Progressing=("True", "Complete")), "ready"),
        (function(2, Ready=("True", "ScaledToZero"), Progressing=("True", "Complete")), "ready"),
        (function(2, Ready=("True", "PodsReady"), Progressing=("False", "CrashLoopBackOff")), "failed"),
        (function(2, Ready=("False", "ImagePullBackOff"), Progressing=("False", "ImagePullBackOff")), "failed"),
        (function(2, Ready=("False", "Unschedulable"), Progressing=("False", "Unschedulable")), "waiting"),
    ],
)
def test_verdict(found: dict[str, Any], expected: str) -> None:
    assert verdict(found, 2) == expected


def test_server_sent_events_are_put_together() -> None:
    lines = [
        b": hello\n",
        b"\n",
        b"event: x\n",
        b"data: a\r\n",
        b"data:b\n",
        b"id: 1\n",
        b"\r\n",
        b"data: c\n",
        b"\n",
        b"data: cut",
    ]
    assert list(events._documents(iter(lines))) == [b"a\nb", b"c"]


@pytest.mark.parametrize(
    ("verb", "data", "said"),
    [
        ("received", {"id": "a1", "via": "http"}, "by http  a1"),
        ("completed", {"id": "a1", "status": 200, "durationMs": 1.26, "pod": "p"}, "200 in 1.3 ms  p  a1"),
        (
            "failed",
            {"id": "a1", "status": 500, "durationMs": 2, "code": "handler_failed"},
            "500 handler_failed in 2.0 ms  a1",
        ),
        ("scaled", {"replicas": 2, "previous": 0, "reason": "load"}, "0 -> 2: load"),
        ("renamed", {"to": "x"}, "to=x"),
    ],
)
def test_events_are_one_line(verb: str, data: dict[str, Any], said: str) -> None:
    event = events._Event(
        "/namespaces/default/functions/add", f"dev.faas.function.{verb}", "2026-01-02T03:04:05.678901Z", data
    )
    line = events._line(event)
    assert line.endswith(said)
    assert f".678  default/add  {verb}" in line


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("workflow.started", {"name": "flow-r1.default"}, "default/flow  started    r1"),
        ("task.completed", {"task": "/do/0/a"}, "default/flow  task completed  /do/0/a  r1"),
        ("task.faulted", {"task": "/do/0/a", "error": {"title": "T", "status": 1}}, "task faulted  /do/0/a  T  r1"),
    ],
)
def test_events_of_runs_are_one_line(kind: str, data: dict[str, Any], said: str) -> None:
    type_ = f"io.serverlessworkflow.{kind}.v1"
    event = events._Event("/namespaces/default/workflows/flow", type_, "2026-01-02T03:04:05.678Z", data, "r1")
    assert events._line(event).endswith(said)


def test_events_that_workflows_emit_are_shown_whatever_they_are() -> None:
    event = events._Event("https://shop", "com.shop.sold", "", ["any", "data"])
    assert events._line(event) == '              https://shop  com.shop.sold  ["any","data"]'


@pytest.mark.parametrize(
    ("text", "namespace", "expected"),
    [("team/add", "default", "team/add"), ("add", "team", "team/add")],
)
def test_functions_are_named_with_or_without_namespace(text: str, namespace: str, expected: str) -> None:
    assert str(function_ref(text, namespace)) == expected


@pytest.mark.parametrize(
    ("text", "namespace"),
    [("/add", "a"), ("a/", "a"), ("", "a"), ("a/b/c", "a"), ("add", "A"), ("*", "a"), ("a.b", "a")],
)
def test_wrong_names_are_usage(text: str, namespace: str) -> None:
    with pytest.raises(Failure) as caught:
        function_ref(text, namespace)
    assert caught.value.exit_code == 2


def test_durations_and_plain_seconds() -> None:
    assert [seconds("--x", text) for text in ("5", "2.5", "30s", "1m30s", "200ms")] == [5, 2.5, 30, 90, 0.2]
    for wrong in ("", "x", "-1", "1d", "5 s", "١"):
        with pytest.raises(Failure, match=r"--x: .* is not a duration"):
            seconds("--x", wrong)


def test_control_characters_never_reach_the_terminal() -> None:
    assert clean("plain ä\ttext\n") == "plain ä\ttext\n"
    assert clean("\x1b[2J\r\x00\u202e") == "\\x1b[2J\\r\\x00\\u202e"


def test_ages() -> None:
    moments = [since(f"1970-01-01T00:00:{second:02d}Z", 130) for second in (0, 30, 59)]
    assert moments == ["2m", "100s", "71s"]
    assert (since(None, 0), since("1970-01-01T00:00:00Z", 86400 * 3), since("1970-01-01T00:00:00Z", 7200)) == (
        "-",
        "3d",
        "2h",
    )
    assert since("1970-01-01T01:00:00Z", 0) == "0s"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "localhost:8080",
        "ftp://x",
        "http://",
        "http://a b",
        "http://x:99999",
        "http://x:0",
        "http://u:p@x",
        "http://ä",
        "http://x\r\ny",
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(Failure, match="is not an address"):
        target._checked(address, "FAAS_GATEWAY")


def test_which_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def known(name: str) -> str:
        (tmp_path / name).mkdir()
        (tmp_path / name / "faas.json").write_text(f'{{"gateway": "http://{name}:1/base/", "token": "t-{name}"}}')
        return str(tmp_path / name)

    one, two, home = known("one"), known("two"), tmp_path / "home"
    known("home")
    (home / ".faas").symlink_to(home)
    monkeypatch.delenv("FAAS_GATEWAY", raising=False)
    monkeypatch.delenv("FAAS_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("FAAS_DIR", raising=False)
    assert target.find(None).address == "http://home:1/base"
    monkeypatch.setenv("FAAS_DIR", one)
    assert (target.find(None).address, target.find(None).token) == ("http://one:1/base", "t-one")
    monkeypatch.setenv("FAAS_GATEWAY", "https://remote")
    assert target.find(None) == (target.urlsplit("https://remote"), "")
    monkeypatch.setenv("FAAS_TOKEN", "mine")
    assert target.find(None).token == "mine"
    assert (target.find(two).address, target.find(two).token) == ("http://two:1/base", "mine")


@pytest.mark.parametrize(
    ("text", "said"),
    [("{", "cannot be understood"), ("[]", "cannot be understood"), ('{"gateway": "x"}', "is not an address")],
)
def test_a_broken_file_of_addresses_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "faas.json").write_text(text)
    with pytest.raises(Failure, match=said):
        target.find(str(tmp_path))


WANTED = Requirements("", "requirements.txt", Path())
HERE = Platform("3.11", "x86_64", "glibc")
UNRESOLVED = f"requirements.txt cannot be resolved for {HERE}: "
NO_WHEEL = f"has no wheel for {HERE}, and nothing is built from source"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because nope was not found in the package registry and you require nope, we can conclude that "
            "your requirements are unsatisfiable.\n",
            UNRESOLVED + "Because nope was not found in the package registry and you require nope",
        ),
        (
            "  × No solution found when resolving dependencies:\n"
            "  ╰─▶ you require pillow<1 and\n      pillow>2, which are incompatible\n",
            UNRESOLVED + "you require pillow<1 and pillow>2, which are incompatible",
        ),
        (
            "error: No solution found when resolving dependencies\n"
            "  cause: Because all versions of uwsgi have no usable wheels and you require uwsgi, we can conclude that "
            "your requirements are unsatisfiable.\n\nhint: Wheels are required for `uwsgi`\n",
            f"requirements.txt: uwsgi {NO_WHEEL}",
        ),
        (
            "error: Because old==0.1 has no wheels with a matching Python ABI tag and you require old==0.1\n",
            f"requirements.txt: old {NO_WHEEL}",
        ),
        ("", UNRESOLVED + "uv gave no reason"),
    ],
)
def test_uvs_reasons_are_shortened(said: str, message: str) -> None:
    failure = _explained(said, WANTED, HERE)
    assert failure.message == message
    assert failure.exit_code == 1


def test_where_requirements_come_from(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\ndependencies = ["a>1", "b"]\n')
    assert find(tmp_path) == Requirements("a>1\nb\n", "pyproject.toml", tmp_path)
    (tmp_path / "requirements.txt").write_text("# none yet\n\n")
    assert find(tmp_path) is None
    (tmp_path / "requirements.txt").write_text("c\n")
    assert find(tmp_path) == Requirements("c\n", "requirements.txt", tmp_path)


@pytest.mark.parametrize("text", ["[project", 'project = "x"', "[project]\ndependencies = 3"])
def test_a_broken_pyproject_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(Failure, match=r"pyproject\.toml: "):
        find(tmp_path)


def test_pinned_versions_are_read_from_a_lock() -> None:
    lock = "a-b==1.0 \\\n    --hash=sha256:00\nc==2 ; python_version > '3'\n# d==3\n"
    assert _PINNED.findall(lock) == ["a-b==1.0", "c==2"]


def test_an_answer_without_the_contracts_body_has_a_message() -> None:
    import http.client

    headers = http.client.HTTPMessage()
    headers["Faas-Error"] = "busy"
    assert Answer(503, headers, b"x").error().code == "busy"
    assert Answer(503, headers, b"x").exit_code() == 4
    assert Answer(599, http.client.HTTPMessage(), b"").error().message == "no message"
