"""Calls of workflows to what is outside the platform: HTTP, OpenAPI, AsyncAPI over NATS."""

from services.workflow.calls.addresses import parse_networks
from services.workflow.calls.limits import Limits
from services.workflow.calls.outside import Answer, Outside
from services.workflow.calls.repeats import repeatable

__all__ = ["Answer", "Limits", "Outside", "parse_networks", "repeatable"]
