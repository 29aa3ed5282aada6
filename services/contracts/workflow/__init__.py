"""The language of workflows: Open Workflow Specification DSL 1.0.3, from its YAML to a typed, checked Definition.

Pure: no I/O, no jq. ``docs/reference/workflow-language.md`` says what is supported.
"""

from services.contracts.workflow.model import Definition
from services.contracts.workflow.parse import parse, parse_yaml
from services.contracts.workflow.problems import InvalidWorkflow, Problem
from services.contracts.workflow.walk import schemas, task_lists, walk
from services.contracts.workflow.yaml12 import load_yaml

__all__ = [
    "Definition",
    "InvalidWorkflow",
    "Problem",
    "load_yaml",
    "parse",
    "parse_yaml",
    "schemas",
    "task_lists",
    "walk",
]
