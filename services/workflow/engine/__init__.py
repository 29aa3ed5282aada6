"""The engine of one run: pure functions of the definition, the run's state, a stimulus and the time.

``step`` decides; its records are the run's history, and ``apply`` folds them into the state again.
"""

from services.workflow.engine.apply import apply
from services.workflow.engine.plan import Plan
from services.workflow.engine.state import State
from services.workflow.engine.step import Transition, step

__all__ = ["Plan", "State", "Transition", "apply", "step"]
