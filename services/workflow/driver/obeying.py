"""What runs need of whoever carries out what their transitions ask for."""

from typing import Protocol

from services.workflow.driver.run import Run
from services.workflow.worker.protocol import Stepped, WireCommand


class Obeys(Protocol):
    """Who carries out commands."""

    async def obey(self, run: Run, commands: list[WireCommand], unsent: frozenset[int]) -> None:
        """Begins to carry out what a transition asks for. ``unsent``: tasks whose calls the last owner did not make,
        although they are commanded as repeated."""

    def leave(self) -> None:
        """No more commands come."""

    def ended(self, run: Run, stepped: Stepped) -> None:
        """The run has come to its end."""

    def released(self, run: Run) -> None:
        """The run is not driven here any more."""
