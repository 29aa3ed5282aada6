"""Writes ``deploy/crds/*.yaml`` from the structs of the contracts: ``python -m deploy.generate``."""

from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from deploy.schema import Rule, Schema, structural
from services.contracts.durations import DURATION_PATTERN
from services.contracts.names import LABEL_PATTERN, MAX_LABEL
from services.contracts.resources import (
    GROUP,
    MAX_TIMEOUT,
    VERSION,
    EnvFrom,
    EnvSource,
    EnvVar,
    Function,
    FunctionSpec,
    FunctionStatus,
    Scale,
    Source,
    Workflow,
    WorkflowSpec,
    WorkflowStatus,
)

CRDS = Path(__file__).parent / "crds"
_HEADER = "# Generated from services/contracts by `python -m deploy.generate`; a test compares the two.\n"


def _exactly_one(*names: str) -> Rule:
    # a sum, not a macro over a list: in an array without a limit the API server refuses what it estimates too dear
    present = " + ".join(f"(has(self.{name}) ? 1 : 0)" for name in names)
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    return {"rule": f"{present} == 1", "message": f"exactly one of {listed} is needed"}


def _between(name: str, low: str, high: str) -> Rule:
    # the pattern comes first: `duration()` fails on what is none, and its error would hide the pattern's message
    value = f"self.{name}"
    rule = (
        f"!{value}.matches('{DURATION_PATTERN.replace(chr(92), chr(92) * 2)}') || "
        f"duration({value}) >= duration('{low}') && duration({value}) <= duration('{high}')"
    )
    return {"rule": rule, "message": f"{name} must be from {low} to {high}", "fieldPath": f".{name}"}


RULES: dict[type, list[Rule]] = {
    FunctionSpec: [_exactly_one("source", "image"), _between("timeout", "1ms", f"{MAX_TIMEOUT:.0f}s")],
    Source: [_exactly_one("inline", "archive")],
    Scale: [
        {"rule": "self.min <= self.max", "message": "min must not be above max"},
        _between("window", "1s", "3600s"),
        _between("panicWindow", "1s", "3600s"),
        _between("scaleToZeroAfter", "0s", "86400s"),
    ],
    EnvVar: [
        _exactly_one("value", "valueFrom"),
        {"rule": "!self.name.startsWith('FAAS_')", "message": "names that begin with FAAS_ belong to the platform"},
    ],
    EnvSource: [_exactly_one("secretKeyRef", "configMapKeyRef", "fieldRef")],
    EnvFrom: [_exactly_one("secretRef", "configMapRef")],
}
Columns = list[dict[str, str]]
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
FUNCTION_COLUMNS: Columns = [
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Reason", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].reason'},
    {"name": "Replicas", "type": "integer", "jsonPath": ".status.replicas"},
    {"name": "Revision", "type": "string", "jsonPath": ".status.revision"},
    _AGE,
]
WORKFLOW_COLUMNS: Columns = [
    {"name": "Accepted", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Accepted")].status'},
    {"name": "Version", "type": "string", "jsonPath": ".spec.definition.document.version"},
    _AGE,
]
_NAME: Schema = {"type": "string", "maxLength": MAX_LABEL, "pattern": LABEL_PATTERN}
_ANYTHING: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
# What every definition has is stated, so that the API server names the field; the language is the service's to check.
_DOCUMENT: Schema = {
    **_ANYTHING,
    "required": ["dsl", "namespace", "name", "version"],
    "properties": {
        "dsl": {"type": "string", "pattern": r"^1\.0\.[0-9]"},
        "namespace": _NAME,
        "name": _NAME,
        "version": {"type": "string", "minLength": 1, "maxLength": 256},
    },
}
_DEFINITION: Schema = {
    **_ANYTHING,
    "required": ["document", "do"],
    "properties": {"document": _DOCUMENT, "do": {"type": "array", "items": _ANYTHING}},
}
_GIVEN = "self.spec.definition.document"
# rules see no metadata but the name; that the namespace is the resource's is for the gateway and the service to say
_NAMED: Rule = {
    "rule": f"{_GIVEN}.name == self.metadata.name",
    "message": "document.name must be the resource's name",
    "fieldPath": ".spec.definition.document.name",
}


def function_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of Function."""
    return _crd(Function, "fn", FUNCTION_COLUMNS, structural(FunctionSpec, RULES), structural(FunctionStatus, RULES))


def workflow_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of Workflow."""
    spec = structural(WorkflowSpec, RULES)
    spec["properties"]["definition"] = _DEFINITION
    return _crd(Workflow, "wf", WORKFLOW_COLUMNS, spec, structural(WorkflowStatus, RULES), [_NAMED])


def _crd(
    resource: type[Struct], short: str, columns: Columns, spec: Schema, status: Schema, rules: list[Rule] | None = None
) -> dict[str, Any]:
    schema: Schema = {
        "type": "object",
        "description": resource.__doc__,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            # a name is a token of NATS subjects, a label's value and a URL's segment, so no DNS subdomain
            "metadata": {"type": "object", "properties": {"name": _NAME}},
            "spec": spec,
            "status": status,
        },
    }
    if rules:
        schema["x-kubernetes-validations"] = rules
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
    }
    kind = resource.__name__
    plural = f"{kind.lower()}s"
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": kind.lower(),
        "shortNames": [short],
        "categories": ["all"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


class _Dumper(yaml.SafeDumper):
    """Writes parts that stand in several places out, each time."""

    def ignore_aliases(self, data: Any) -> bool:
        """Always: an anchor would only be harder to read."""
        return True


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    crds = {"functions.yaml": function_crd(), "workflows.yaml": workflow_crd()}
    return {
        CRDS / name: _HEADER + yaml.dump(crd, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
        for name, crd in crds.items()
    }


def main() -> None:
    """Writes the files."""
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
