"""Writes ``deploy/crds/*.yaml`` from the structs of the contracts: ``python -m deploy.generate``."""

from pathlib import Path
from typing import Any

import yaml

from deploy.schema import Rule, structural
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
COLUMNS = [
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Reason", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].reason'},
    {"name": "Replicas", "type": "integer", "jsonPath": ".status.replicas"},
    {"name": "Revision", "type": "string", "jsonPath": ".status.revision"},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def function_crd() -> dict[str, Any]:
    """The CustomResourceDefinition of Function."""
    schema = {
        "type": "object",
        "description": Function.__doc__,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            # a name is a token of NATS subjects, a label's value and a URL's segment, so no DNS subdomain
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "maxLength": MAX_LABEL, "pattern": LABEL_PATTERN}},
            },
            "spec": structural(FunctionSpec, RULES),
            "status": structural(FunctionStatus, RULES),
        },
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": COLUMNS,
    }
    names = {
        "kind": "Function",
        "listKind": "FunctionList",
        "plural": "functions",
        "singular": "function",
        "shortNames": ["fn"],
        "categories": ["all"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"functions.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    text = yaml.safe_dump(function_crd(), sort_keys=False, width=120, allow_unicode=True)
    return {CRDS / "functions.yaml": _HEADER + text}


def main() -> None:
    """Writes the files."""
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
