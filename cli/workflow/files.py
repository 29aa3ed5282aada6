"""Definitions of workflows in files: read as YAML 1.2, found among other documents, and checked line by line."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from cli.output import Failure, usage
from services.contracts.resources import API_VERSION

Manifest = dict[str, Any]

_LIKELY = re.compile(
    r"""(?mx) ^ (?: kind \s* : \s* ['"]? Workflow \b | document \s* : ) | "(?: kind"\s*:\s*"Workflow | document"\s*:)"""
)
_SEPARATOR = re.compile(r"(?m)^---(?=\s|$)")
"""Where a document begins: YAML allows such a line nowhere else, not even in a text of several lines."""


class Piece(NamedTuple):
    """One document of a file; ``line`` counts from 1."""

    text: str
    line: int


def pieces(text: str) -> list[Piece]:
    """The documents of a text that are not empty."""
    starts = [0, *(found.end() for found in _SEPARATOR.finditer(text))]
    ends = [*(found.start() for found in _SEPARATOR.finditer(text)), len(text)]
    found = [Piece(text[start:end], text.count("\n", 0, start) + 1) for start, end in zip(starts, ends, strict=True)]
    return [piece for piece in found if piece.text.strip()]


def may_be_workflow(text: str) -> bool:
    """Whether a text looks like a definition or a manifest of one. Cheap, so that others are not read as YAML 1.2."""
    return _LIKELY.search(text) is not None


def read(file: Path, piece: Piece) -> Any:
    """A document as YAML 1.2; a definition alone becomes the manifest of a Workflow. Raises Failure."""
    from services.contracts.workflow import InvalidWorkflow, load_yaml

    try:
        document = load_yaml("\n" * (piece.line - 1) + piece.text)  # so that lines count from the file's beginning
    except InvalidWorkflow as error:
        raise usage(
            f"{file}: " + "; ".join(str(problem).removeprefix("the document: ") for problem in error.problems)
        ) from None
    if not isinstance(document, dict):
        return document
    if "kind" not in document and "document" in document:
        document = {"apiVersion": API_VERSION, "kind": "Workflow", "spec": {"definition": document}}
    return _named(document) if document.get("kind") == "Workflow" else document


def _named(manifest: Manifest) -> Manifest:
    """The manifest with the name and namespace that its definition gives itself, where it has none of its own."""
    spec, meta = manifest.get("spec"), manifest.get("metadata") or {}
    definition = spec.get("definition") if isinstance(spec, dict) else None
    document = definition.get("document") if isinstance(definition, dict) else None
    if not isinstance(document, dict) or not isinstance(meta, dict):
        return manifest
    own = {key: document[key] for key in ("name", "namespace") if isinstance(document.get(key), str)}
    return manifest | {"metadata": own | meta}


def check(manifest: Manifest, file: Path, piece: Piece) -> None:
    """Refuses a Workflow that the platform would refuse, with every place that is wrong. Raises Failure."""
    from services.contracts.validation import InvalidResource
    from services.contracts.workflow import InvalidWorkflow
    from services.contracts.workflow.resource import decode_workflow

    try:
        decode_workflow(manifest)
    except InvalidResource as error:
        raise _refusal(file, error.problems) from None
    except InvalidWorkflow as error:
        places = _Places(piece)
        raise _refusal(file, [f"{places.line(problem.pointer)}: {problem}" for problem in error.problems]) from None


def check_definition(manifest: Manifest, file: Path, piece: Piece) -> None:
    """Refuses a definition whose language is wrong, whatever it is called. Raises Failure."""
    from services.contracts.workflow import InvalidWorkflow, parse

    try:
        parse(manifest["spec"]["definition"])
    except InvalidWorkflow as error:
        places = _Places(piece)
        raise _refusal(file, [f"{places.line(problem.pointer)}: {problem}" for problem in error.problems]) from None


def _refusal(file: Path, problems: list[str]) -> Failure:
    if len(problems) == 1:
        return usage(f"{file}: {problems[0]}")
    return usage(f"{file}: {len(problems)} places are wrong", details=problems)


class _Places:
    """Where the parts of a definition stand in its file."""

    def __init__(self, piece: Piece) -> None:
        from ruamel.yaml import YAML

        self._first = piece.line
        root = YAML(typ="safe", pure=True).compose(piece.text)
        self._root = _child(_child(root, "spec"), "definition") or root

    def line(self, pointer: str) -> str:
        """``line N``: of what ``pointer`` names, or of the innermost part around it that is there."""
        node = self._root
        for token in pointer.split("/")[1:]:
            inner = _child(node, token.replace("~1", "/").replace("~0", "~"))
            if inner is None:
                break
            node = inner
        return f"line {node.start_mark.line + self._first}"


def _child(node: Any, key: str) -> Any:
    """A node of a mapping or a list; None when there is none."""
    if node is None:
        return None
    if node.id == "mapping":
        return next((value for name, value in node.value if name.value == key), None)
    if node.id == "sequence" and key.isdigit() and int(key) < len(node.value):
        return node.value[int(key)]
    return None
