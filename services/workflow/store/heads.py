"""What the headers of a run's last transition say about the run, so that a scan of all runs reads no payload."""

from collections.abc import Mapping

import msgspec

OWNER = "Faas-Owner"
STATUS = "Faas-Status"
WORKFLOW = "Faas-Workflow"
VERSION = "Faas-Version"
DEFINITION = "Faas-Definition"
STARTED = "Faas-Started"
ENDED = "Faas-Ended"
PARENT = "Faas-Parent"
UNSENT = "Faas-Unsent"


class Head(msgspec.Struct, frozen=True):
    """A run as of one transition. ``owner``: ``<instance>/<boot>`` of the service that wrote it; ``status``: as in
    ``contracts.runs.RunStatus``; ``definition``: SHA-256 of the document it runs; times in epoch seconds; ``parent``:
    what waits for its end, in the words of who started it; ``unsent``: the tasks whose calls are recorded as begun but
    were left to the next owner, who need not fear that they were made."""

    owner: str
    status: str
    workflow: str
    version: str
    definition: str
    started: float
    ended: float | None = None
    parent: str = ""
    unsent: frozenset[int] = frozenset()

    def to_headers(self) -> dict[str, str]:
        """As headers of a message on the bus."""
        headers = {
            OWNER: self.owner,
            STATUS: self.status,
            WORKFLOW: self.workflow,
            VERSION: self.version,
            DEFINITION: self.definition,
            STARTED: f"{self.started:.6f}",
        }
        if self.ended is not None:
            headers[ENDED] = f"{self.ended:.6f}"
        if self.parent:
            headers[PARENT] = self.parent
        if self.unsent:
            headers[UNSENT] = " ".join(map(str, sorted(self.unsent)))
        return headers


def from_headers(headers: Mapping[str, str]) -> Head:
    """The head that a transition carries. Raises ValueError for a message that none of these services wrote."""
    try:
        ended = headers.get(ENDED)
        return Head(
            owner=headers[OWNER],
            status=headers[STATUS],
            workflow=headers[WORKFLOW],
            version=headers[VERSION],
            definition=headers[DEFINITION],
            started=float(headers[STARTED]),
            ended=None if ended is None else float(ended),
            parent=headers.get(PARENT, ""),
            unsent=frozenset(map(int, headers.get(UNSENT, "").split())),
        )
    except KeyError as missing:
        raise ValueError(f"a transition without the header {missing.args[0]}") from None
