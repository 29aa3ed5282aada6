"""The errors that the router itself answers calls with, apart from those of a start (``coldstart``)."""

from services.contracts.errors import Code, FaasError
from services.router import coldstart
from services.router.call import Call


def overloaded(function: str) -> FaasError:
    """There is no room in the queue."""
    return FaasError(Code.OVERLOADED, f"too many calls wait already, {function}: try again in 1 s", retry_after=1)


def not_told_yet() -> FaasError:
    """The first lists of the API server are not in."""
    message = "the router has not been told yet which functions there are: try again in 1 s"
    return FaasError(Code.API_UNAVAILABLE, message, retry_after=1)


def shutting_down() -> FaasError:
    """For a call that never started when the router ends."""
    return FaasError(Code.DRAINING, "the router is shutting down: try again", retry_after=1)


def outcome_unknown(why: str) -> FaasError:
    """The call may have begun, and nobody will tell how it ended."""
    return FaasError(Code.OUTCOME_UNKNOWN, f"{why}: the call may have run, or not")


def too_slow(pod: str) -> FaasError:
    """The Pod has the call and let its time pass."""
    return FaasError(Code.DEADLINE_EXCEEDED, f"no answer from Pod {pod} in time; the call may still run there")


def waited_too_long(call: Call, now: float) -> FaasError:
    """For a call whose time in the queue is over."""
    if call.attempts:
        return outcome_unknown("its Pod was lost, and no other could take the call in time")
    seconds = f"{now - call.arrived:.1f} s"
    if call.deadline is not None and now >= call.deadline:
        return FaasError(
            Code.DEADLINE_EXCEEDED, f"the call's time was over after {seconds} of waiting; it was not started"
        )
    route = call.route
    if route is None or route.function is None:
        return not_told_yet()
    if route.callable:
        message = f"all Pods of {call.key} were busy for {seconds}: try again in 1 s"
        return FaasError(Code.OVERLOADED, message, retry_after=1)
    return coldstart.not_now(route.ref, route.function)
