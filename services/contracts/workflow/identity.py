"""Readers of what names a workflow, its version and its times."""

import re

from services.contracts.names import is_label
from services.contracts.workflow.node import Node
from services.contracts.workflow.read import read_string

DSL = "1.0.3"
"""The version of the language that this package reads."""
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)
_CRON_FIELD = re.compile(r"[0-9A-Za-z*/,\-#]{1,64}", re.ASCII)


def read_version(node: Node) -> str:
    """A semantic version (semver.org 2.0.0)."""
    text = read_string(node)
    return text if len(text) <= 256 and _SEMVER.fullmatch(text) else node.refuse("a semantic version such as 0.1.0")


def read_dsl(node: Node) -> str:
    """A version 1.0 of the language."""
    version = read_version(node)
    if not version.startswith("1.0."):
        node.refuse(f"1.0.0 to {DSL}", hint="another minor version may mean something else", kind="unsupported")
    return version


def read_label(node: Node) -> str:
    """A name that can be a resource's: a DNS-1123 label."""
    if not is_label(read_string(node)):
        node.refuse("lower-case letters, digits and '-', at most 63, a letter or digit first and last", kind="rule")
    return str(node.value)


def read_language(node: Node) -> str:
    """jq."""
    return "jq" if read_string(node) == "jq" else node.refuse("jq", kind="unsupported")


def read_cron(node: Node) -> str:
    """Five fields; the service checks their values and that there is a next time."""
    fields = read_string(node).split()
    if len(fields) != 5 or not all(map(_CRON_FIELD.fullmatch, fields)):
        node.refuse("a cron expression of five fields such as 0 0 * * *", kind="rule")
    return " ".join(fields)
