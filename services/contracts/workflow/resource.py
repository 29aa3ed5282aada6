"""What makes a Workflow valid: the resource around it, then its definition. The CRD states the first part too."""

from typing import Any

import msgspec
from msgspec import UNSET

from services.contracts.resources import Workflow
from services.contracts.strict import unknown_fields
from services.contracts.validation import InvalidResource, identity_problems, readable
from services.contracts.workflow.model import Definition
from services.contracts.workflow.parse import parse
from services.contracts.workflow.problems import InvalidWorkflow, Problem, describe

MAX_INPUT = 256 * 1024
"""Bytes of ``spec.input`` as JSON: with a definition of the largest size it still fits into a Kubernetes object. A
larger one can be given to a run that is asked for."""


def decode_workflow(document: Any) -> tuple[Workflow, Definition]:
    """A Workflow from a user's manifest. Raises InvalidResource for what is around its definition, InvalidWorkflow for
    the definition, whose pointers begin there and not at the manifest."""
    if isinstance(document, dict) and "document" in document and "spec" not in document:
        raise InvalidResource(["the top: this is a definition alone; in a manifest it stands in spec.definition"])
    problems = unknown_fields(Workflow, document)
    try:
        workflow = msgspec.convert(document, Workflow)
    except msgspec.ValidationError as error:
        raise InvalidResource([*problems, readable(str(error))]) from None
    problems += identity_problems(workflow, "Workflow")
    given = workflow.spec.input
    size = 0 if given is UNSET else len(msgspec.json.encode(given))
    if size > MAX_INPUT:
        problems.append(f"spec.input: {size} bytes; at most {MAX_INPUT} may stand in the resource: give it to a run")
    if problems:
        raise InvalidResource(problems)
    return workflow, definition_of(workflow)


def definition_of(workflow: Workflow) -> Definition:
    """The definition in a Workflow, which goes by the resource's name. Raises InvalidWorkflow."""
    definition = parse(workflow.spec.definition)
    wrong = [
        Problem(f"/document/{field}", "rule", describe(named), f"{wanted}, which is the resource's {field}")
        for field, named, wanted in (
            ("namespace", definition.document.namespace, workflow.metadata.namespace or "default"),
            ("name", definition.document.name, workflow.metadata.name),
        )
        if named != wanted
    ]
    if wrong:
        raise InvalidWorkflow(wrong)
    return definition
