"""The kinds of resources that users deploy through the gateway, and what tells them apart."""

from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from services.contracts.errors import Code
from services.contracts.resources import GROUP, VERSION, Function, Workflow
from services.contracts.validation import decode_function
from services.contracts.workflow import load_yaml
from services.contracts.workflow.resource import decode_workflow

Resource = Function | Workflow


class Kind(NamedTuple):
    """One kind. ``decode`` reads a user's manifest and raises InvalidResource or InvalidWorkflow; ``read_yaml`` reads
    YAML as this kind means it; ``slow``: both may take so long that they need a thread."""

    name: str
    plural: str
    type: type[Function] | type[Workflow]
    not_found: Code
    decode: Callable[[Any], Resource]
    read_yaml: Callable[[bytes], Any]
    slow: bool

    @property
    def noun(self) -> str:
        """What messages call one."""
        return self.name.lower()

    def collection(self, namespace: str) -> str:
        """The API server's path of those of a namespace."""
        return f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{self.plural}"


FUNCTION = Kind("Function", "functions", Function, Code.FUNCTION_NOT_FOUND, decode_function, yaml.safe_load, slow=False)
WORKFLOW = Kind(
    "Workflow",
    "workflows",
    Workflow,
    Code.WORKFLOW_NOT_FOUND,
    lambda document: decode_workflow(document)[0],
    load_yaml,  # YAML 1.2: `on` is a key there, and `no` a text
    slow=True,
)
