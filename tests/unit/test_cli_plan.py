"""What ``faas deploy`` makes of files, folders, manifests and options, before anything is sent."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from cli import manifest
from cli.output import Failure
from cli.packing import handler
from cli.plan import Planned, Wishes, plan
from cli.yamltext import dump
from services.contracts.errors import Exit

HANDLE = "def handle(event):\n    return event\n"
ARCHIVE = "a" * 64


def wishes(name: str | None = None, namespace: str | None = None, **settings: Any) -> Wishes:
    variables = settings.pop("variables", {})
    return Wishes(name, namespace, {path.replace("__", "."): value for path, value in settings.items()}, variables)


def folder(root: Path, **texts: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for name, text in ({"main": HANDLE} | texts).items():
        (root / {"main": "main.py", "function": "function.yaml"}.get(name, f"{name}.py")).write_text(text)
    return root


def only(path: Path | None, wanted: Wishes | None = None) -> Planned:
    (planned,) = plan(path, wanted or wishes())
    return planned


def refusal(path: Path | None, wanted: Wishes | None = None) -> Failure:
    with pytest.raises(Failure) as caught:
        plan(path, wanted or wishes())
    assert caught.value.exit_code == Exit.USAGE
    return caught.value


def test_a_folder_with_main_py_is_enough(tmp_path: Path) -> None:
    planned = only(folder(tmp_path / "add"))
    assert planned.manifest == {
        "apiVersion": "faas.dev/v1alpha1",
        "kind": "Function",
        "metadata": {"name": "add", "namespace": "default"},
        "spec": {"handler": "main:handle"},
    }
    assert planned.source is not None
    assert [file.path for file in planned.source.files] == ["main.py"]


def test_a_file_becomes_main_py_and_gives_its_name(tmp_path: Path) -> None:
    root = folder(tmp_path / "words", count=HANDLE)
    count, main = only(root / "count.py"), only(root / "main.py")
    assert (count.ref, main.ref) == (("default", "count"), ("default", "words"))
    assert count.source is not None
    assert [(file.path, file.file) for file in count.source.files] == [("main.py", root / "count.py")]


def test_options_go_before_the_folders_settings(tmp_path: Path) -> None:
    settings = {
        "metadata": {"name": "other", "namespace": "team", "labels": {"a": "b"}},
        "spec": {
            "timeout": "5s", "scale": {"min": 1, "max": 3}, "handler": "main:other",
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        },
    }  # fmt: skip
    root = folder(tmp_path / "add", main="def other(e): ...", function=dump(settings))
    as_is = only(root).manifest
    assert as_is["metadata"] == settings["metadata"]
    assert as_is["spec"] == settings["spec"]
    changed = only(root, wishes("new", "ns", scale__min=2, timeout=None, variables={"B": "3", "C": ""})).manifest
    assert (changed["metadata"]["name"], changed["metadata"]["namespace"]) == ("new", "ns")
    assert changed["spec"]["scale"] == {"min": 2, "max": 3}
    assert changed["spec"]["timeout"] == "5s"
    assert changed["spec"]["env"] == [
        {"name": name, "value": value} for name, value in (("A", "1"), ("B", "3"), ("C", ""))
    ]


def test_manifests_of_several_functions(tmp_path: Path) -> None:
    one = {"kind": "Function", "metadata": {"name": "one"}, "spec": {"image": "x/y:1"}}
    two = {"kind": "Function", "metadata": {"name": "two"}, "spec": {"source": {"archive": ARCHIVE}}}
    file = tmp_path / "all.yaml"
    file.write_text(dump(one) + "---\n" + dump(two) + "---\n")
    assert [(step.ref.name, step.source) for step in plan(file, wishes())] == [("one", None), ("two", None)]
    assert "--name" in refusal(file, wishes("x")).message
    file.write_text(dump(one) + "---\n" + dump(one))
    assert "default/one more than once" in refusal(file).message
    (tmp_path / "one.json").write_text(json.dumps(one))
    assert only(tmp_path / "one.json", wishes("uno", scale__max=2)).manifest["spec"] == {
        "image": "x/y:1",
        "scale": {"max": 2},
    }


def test_an_image_needs_no_path() -> None:
    planned = only(None, wishes("served", image="example/served:1"))
    assert planned.manifest["spec"] == {"image": "example/served:1"}
    assert "nothing to deploy" in refusal(None).message
    assert "nothing to deploy" in refusal(None, wishes(image="x")).message


def test_an_image_and_a_source_exclude_each_other(tmp_path: Path) -> None:
    assert "--image" in refusal(folder(tmp_path / "add"), wishes(image="x")).message


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("word_count", "the name 'word_count' is not valid", "--name word-count"),
        ("Add", "the name 'Add' is not valid", "--name add"),
        ("x" * 64, "64 characters", "--name " + "x" * 63),
        ("ünï", "is not valid", "--name n"),
        ("___", "is not valid", "choose another with --name"),
    ],
)
def test_names_are_refused_with_a_better_one(tmp_path: Path, name: str, message: str, hint: str) -> None:
    failure = refusal(folder(tmp_path / name))
    assert message in failure.message
    assert failure.hint.endswith(hint)


def test_what_cannot_be_deployed(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "absent").message
    (tmp_path / "notes.txt").write_text("")
    assert "cannot be deployed" in refusal(tmp_path / "notes.txt").message
    (tmp_path / "empty.yaml").write_text("")
    assert "is empty" in refusal(tmp_path / "empty.yaml").message
    (tmp_path / "hollow").mkdir()
    assert "has no main.py" in refusal(tmp_path / "hollow").message
    (tmp_path / "hollow" / "work.py").write_text(HANDLE)
    assert refusal(tmp_path / "hollow").hint == "it has work.py: name one with --handler work:NAME"
    assert only(tmp_path / "hollow", wishes(handler="work:handle")).manifest["spec"]["handler"] == "work:handle"
    assert "has no work/deep.py" in refusal(tmp_path / "hollow", wishes(handler="work.deep:x")).message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spec: [", "line 2, column 1"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed"),
        ("- 1", "a manifest is a mapping"),
        ("kind: Deployment", "kind 'Deployment' cannot be deployed"),
        ("metadata: x\nspec: {image: y}", "metadata is not a mapping"),
        ("kind: Function\nmetadata: {name: x}\nspec: {}", "one of source and image is needed"),
        ("metadata: {name: x}\nspec: {image: y, timeout: 5}", "spec.timeout: expected a text, got a whole number"),
        ("metadata: {name: x}\nspec: {image: y, scael: {}}", "spec.scael: unknown field; did you mean scale?"),
        ("metadata: {name: x}\nspec: {image: y, env: [{name: FAAS_X, value: '1'}]}", "belong to the platform"),
        ("apiVersion: v1\nmetadata: {name: x}\nspec: {image: y}", "expected faas.dev/v1alpha1"),
    ],
)
def test_wrong_manifests_say_where(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "function.yaml"
    file.write_text(text)
    assert said in refusal(file).message


def test_all_wrong_fields_are_named(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("metadata: {name: x}\nspec: {image: y, tiemout: 5s, scale: {min: 3, max: 2}}")
    failure = refusal(tmp_path / "f.yaml")
    assert len(failure.details) == 2
    assert "did you mean timeout?" in failure.details[0]


def test_the_settings_of_a_folder_have_no_source(tmp_path: Path) -> None:
    root = folder(tmp_path / "add", function="spec: {image: x}")
    assert "have no place here" in refusal(root).message
    folder(root, function="spec: {timeout: 5s}\n---\nspec: {}\n")
    assert "has 2 documents" in refusal(root).message
    folder(root, function="spec: {timeout: 5s}")
    assert f"faas deploy {root}" in refusal(root / "function.yaml").hint


def test_variables() -> None:
    assert manifest.variables(["A=1", "B=x=y", "C="]) == {"A": "1", "B": "x=y", "C": ""}
    for wrong in ("A", "=1", ""):
        with pytest.raises(Failure, match="is not KEY=VALUE"):
            manifest.variables([wrong])


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("def handle(e): ...", "handle"),
        ("async def handle(e): ...", "handle"),
        ("from lib import handle", "handle"),
        ("import x as handle", "handle"),
        ("handle = lambda e: e", "handle"),
        ("handle: object = 1", "handle"),
        ("try:\n import a as handle\nexcept ImportError:\n def handle(e): ...", "handle"),
        ("if True:\n def handle(e): ...", "handle"),
        ("for handle in []: ...", "handle"),
        ("with open(x) as handle: ...", "handle"),
        ("handle, other = 1, 2", "handle"),
        ("from x import *", "handle"),
        ("app = FastAPI()", "app"),
        ("async def app(scope, receive, send): ...", "app"),
        ("app = 1\ndef handle(e): ...", "handle"),
    ],
)
def test_the_handler_is_found_without_running_anything(text: str, chosen: str) -> None:
    assert handler.choose(handler.names_of(text, "main.py"), "main.py") == chosen


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("def add(e): ...\ndef _x(): ...", "main.py has no 'handle'; it defines add", "--handler main:add"),
        ("x = 1", "defines no function", "def handle(event)"),
        ("def f():\n def handle(e): ...", "it defines f", "--handler main:f"),
    ],
)
def test_a_missing_handler_names_what_is_there(text: str, message: str, hint: str) -> None:
    with pytest.raises(Failure) as caught:
        handler.choose(handler.names_of(text, "main.py"), "main.py")
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def handle(event)\n    return 1", "main.py, line 1, column 18: expected ':': def handle(event)"),
        ("def handle(e):\nreturn 1", "main.py, line 2"),
        ("x = '", "unterminated string"),
        ("a\0b", "null bytes"),
    ],
)
def test_syntax_errors_say_where(text: str, said: str) -> None:
    with pytest.raises(Failure) as caught:
        handler.names_of(text, "main.py")
    assert said in caught.value.message


def test_a_handler_is_checked_before_anything_is_sent(tmp_path: Path) -> None:
    root = folder(tmp_path / "add", main="class Tool:\n def run(self): ...\ndef other(e): ...")
    assert "main.py has no 'nope'; it defines other" in refusal(root, wishes(handler="main:nope")).message
    assert only(root, wishes(handler="main:Tool.run")).manifest["spec"]["handler"] == "main:Tool.run"
    assert "spec.handler" in refusal(root, wishes(handler="main")).message
    (root / "requirements.txt").write_text("flask\n")
    assert only(root, wishes(handler="flask.app:Flask")).manifest["spec"]["handler"] == "flask.app:Flask"
    assert "has no 'nope'" in refusal(root, wishes(handler="main:nope")).message


def test_yaml_keeps_texts_readable_and_whole() -> None:
    import yaml

    document = {"main.py": "def f():\n    return 'ä'\n", "tabs": "a\tb\n  \nc", "no": "no", "one": "1"}
    text = dump(document)
    assert "main.py: |\n  def f():\n      return 'ä'\n" in text
    assert yaml.safe_load(text) == document


def test_every_value_of_a_wrong_form_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "metadata: {name: x}\nspec: {image: y, timeout: 5 minutes, concurrency: 0, scale: {mn: 1, max: two},\n"
        "  env: [{name: A, value: 1}, {name: B, value: 2}]}\n"
    )
    told = refusal(file).details
    assert sorted(told) == [
        "spec.concurrency: expected a whole number >= 1",
        "spec.env[0].value: expected a text or nothing, got a whole number",
        "spec.env[1].value: expected a text or nothing, got a whole number",
        "spec.scale.max: expected a whole number, got a text",
        "spec.scale.mn: unknown field; did you mean min?",
        "spec.timeout: expected a duration such as 500ms, 60s, 1m30s or 2h",
    ]


def test_a_manifest_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"kind: Function\nmetadata: {name: piped}\nspec: {image: x:1}\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert str(only(Path("-")).ref) == "default/piped"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: [1")))
    assert refusal(Path("-")).message.startswith("standard input: line ")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert refusal(Path("-")).message == "standard input is empty"


def test_a_file_that_is_no_manifest_is_told_what_one_is(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("documnet: {dsl: 1.0.3}\ndo: []\n")
    failure = refusal(file)
    assert failure.message == f"{file}: an object with documnet, do is neither a manifest nor a workflow"
    assert "document and do" in failure.hint
    assert "kind" in failure.hint


def test_a_folder_of_manifests_is_told_to_name_one(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text("kind: Workflow\n")
    assert f"faas deploy {tmp_path / 'flow.yaml'}" in refusal(tmp_path, wishes("x")).hint
