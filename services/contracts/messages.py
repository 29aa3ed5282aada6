"""Messages between services. Each carries a version; a changed shape needs a new one (tests hold fingerprints).

A reader tolerates unknown fields and takes any version whose fields it can read.
"""

import msgspec

from services.contracts.resources import Condition


class Load(msgspec.Struct, frozen=True):
    """One Function's load at one router. ``average``: calls in flight or queued, by time since the last report."""

    function: str
    """``namespace/name``"""
    in_flight: int
    queued: int
    average: float


class LoadReport(msgspec.Struct, frozen=True, rename="camel"):
    """What one router carries; sent each second, at once when a Function leaves zero. Those at zero are left out.

    A report replaces its router's earlier one and expires after ``services.contracts.messages.REPORT_TTL`` seconds.
    """

    router: str
    sequence: int
    functions: list[Load]
    version: int = 1


REPORT_TTL = 3.0
"""Seconds for which a report counts: three that did not come, and its router is gone."""


class Progress(msgspec.Struct, frozen=True):
    """The calls of one gateway, by id, that this router still holds; sent each second for calls older than one."""

    router: str
    ids: list[str]
    version: int = 1


class Description(msgspec.Struct, frozen=True, rename="camel"):
    """A Function's state as callers may see it."""

    name: str
    namespace: str
    replicas: int
    ready_replicas: int
    revision: str
    conditions: list[Condition]
    version: int = 1
