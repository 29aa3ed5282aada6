"""The function server inside a Pod, and what a function's author may import.

Authors use three names: ``from faas_runtime import Context, Response, CloudEvent``. Everything else is the server
itself (``python -m faas_runtime``) and its warm parent (``python -m faas_runtime.forkserver``). The package depends on
the standard library, msgspec, httptools and uvloop only, and on nothing else of this project.
"""

from faas_runtime.cloudevents import CloudEvent
from faas_runtime.context import Context
from faas_runtime.response import Response

__all__ = ["CloudEvent", "Context", "Response"]
