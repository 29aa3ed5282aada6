"""The in-memory driver: the pure engine on virtual time, with the service's own calls to the outside."""

import asyncio

from tests.workflow.ctk.driver import Case, Outcome
from tests.workflow.ctk.scene import Scene


class MemoryDriver:
    """Acknowledges what is emitted and gives it to tasks that listen; lets time pass when nothing else is left, and in
    its own pace while a call is under way."""

    def run(self, case: Case) -> Outcome:
        """The outcome of one run; one that waits for what never comes raises ValueError."""
        return asyncio.run(Scene(case).run())
