"""Manifests: read from files, completed by options, checked."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cli.output import usage
from cli.workflow import files
from services.contracts.names import InvalidName, check_label
from services.contracts.resources import API_VERSION

Manifest = dict[str, Any]
_SERVERS = frozenset(
    {"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields", "selfLink"}
)
"""What the API server adds to metadata; of no use in a manifest that came out of ``faas get -o yaml``."""
SUFFIXES = (".yaml", ".yml", ".json")
KINDS = ("Function", "Workflow")
STDIN = Path("standard input")
"""Stands for what is piped in, here and in messages."""


class Read(NamedTuple):
    """A document of a file, and the text that it stands in, for whoever looks for lines."""

    manifest: Manifest
    piece: files.Piece

    @property
    def workflow(self) -> bool:
        """Whether it is a Workflow; else it is a Function."""
        return self.manifest.get("kind") == "Workflow"


def read(file: Path) -> list[Read]:
    """The documents of a YAML or JSON file. Raises Failure with line and column when it cannot be read."""
    try:
        text = (sys.stdin.buffer.read() if file == STDIN else file.read_bytes()).decode()
    except OSError as error:
        raise usage(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise usage(f"{file} is not UTF-8 text") from None
    found = []
    for piece in files.pieces(text) if files.may_be_workflow(text) else [files.Piece(text, 1)]:
        workflow = files.may_be_workflow(piece.text)
        documents = [files.read(file, piece)] if workflow else _read_functions(file, piece)
        found += [Read(document, piece) for document in documents if document is not None]
    for document, _ in found:
        if not isinstance(document, dict):
            raise usage(f"{file}: a manifest is a mapping with apiVersion, kind, metadata and spec")
        if document.get("kind", "Function") not in KINDS:
            raise usage(
                f"{file}: kind {str(document['kind'])[:40]!a} cannot be deployed",
                f"use kind: {' or kind: '.join(KINDS)} of {API_VERSION}",
            )
    return found


def _read_functions(file: Path, piece: files.Piece) -> list[Any]:
    import yaml

    text = "\n" * (piece.line - 1) + piece.text
    try:
        return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError as error:
        raise usage(f"{file}: {_where(error)}") from None


def settings_of(folder: Path) -> Manifest:
    """What ``function.yaml`` of a folder says; an empty manifest without one. Raises Failure."""
    file = folder / "function.yaml"
    documents = read(file) if file.is_file() else []
    if any(document.workflow for document in documents):
        raise usage(f"{file} is a Workflow; the settings of a folder are a Function", f"faas deploy {file} takes it")
    if len(documents) > 1:
        raise usage(f"{file} has {len(documents)} documents; the settings of a folder are one Function")
    settings = documents[0].manifest if documents else {}
    spec = section(settings, "spec", str(file))
    if "source" in spec or "image" in spec:
        raise usage(
            f"{file}: spec.source and spec.image have no place here: the folder is the source",
            f"faas deploy {file} takes it as it is",
        )
    return settings


def complete(manifest: Manifest, name: str | None, namespace: str | None, origin: str) -> Manifest:
    """``manifest`` with apiVersion, kind, name and namespace; given ones go before its own. Raises Failure."""
    meta = {key: value for key, value in section(manifest, "metadata", origin).items() if key not in _SERVERS}
    meta["name"] = name or meta.get("name") or ""
    meta["namespace"] = namespace or meta.get("namespace") or "default"
    for what in ("name", "namespace"):
        try:
            check_label(str(meta[what]), what)
        except InvalidName as error:
            raise usage(f"{origin}: {error}", _suggested(what, str(meta[what]))) from None
    spec = dict(section(manifest, "spec", origin))
    own = {key: value for key, value in manifest.items() if key != "status"}
    return {"apiVersion": API_VERSION, "kind": "Function", **own, "metadata": meta, "spec": spec}


def override(spec: Manifest, settings: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    """Sets in ``spec`` what options say: ``settings`` by path such as ``scale.min``, None left alone; and variables."""
    for path, value in settings.items():
        if value is None:
            continue
        *parents, last = path.split(".")
        place = spec
        for parent in parents:
            inner = place.get(parent)
            place[parent] = place = dict(inner) if isinstance(inner, dict) else {}
        place[last] = value
    if variables:
        listed = spec.get("env")
        kept = [entry for entry in listed or [] if not (isinstance(entry, dict) and entry.get("name") in variables)]
        spec["env"] = kept + [{"name": name, "value": value} for name, value in variables.items()]


def check(manifest: Manifest, origin: str) -> None:
    """Refuses a manifest that the platform would refuse, naming every field that is wrong. Raises Failure."""
    from services.contracts.validation import InvalidResource, decode_function

    try:
        decode_function(manifest)
    except InvalidResource as error:
        if len(error.problems) == 1:
            raise usage(f"{origin}: {error.problems[0]}") from None
        raise usage(f"{origin}: {len(error.problems)} fields are wrong", details=error.problems) from None


def section(manifest: Manifest, name: str, origin: str) -> Manifest:
    """A part of a manifest that is a mapping; empty when it is not there. Raises Failure."""
    found = manifest.get(name)
    if found is not None and not isinstance(found, dict):
        raise usage(f"{origin}: {name} is not a mapping")
    return found or {}


def variables(texts: list[str]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping. Raises Failure."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise usage(f"--env: {text[:60]!a} is not KEY=VALUE")
        found[name] = value
    return found


def _suggested(what: str, name: str) -> str:
    better = re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-")
    return f"choose another with --{what}" + (f", such as --{what} {better}" if better and better != name else "")


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', None) or 'not valid YAML'}"
