"""Runtime expressions: jq programs, compiled once, over data and the arguments that the language gives them."""

from services.workflow.expressions.checks import problems
from services.workflow.expressions.lexis import Refused
from services.workflow.expressions.program import ExpressionError, check, evaluate
from services.workflow.expressions.template import fill, fill_text

__all__ = ["ExpressionError", "Refused", "check", "evaluate", "fill", "fill_text", "problems"]
