"""What an operator does to a run: each verb is a request and prints what became of the run."""

from cli import target
from cli.client import Gateway, Refused
from cli.output import document, say
from cli.workflow.runs import item, run_ref
from services.contracts.names import FunctionRef

ANSWER_SECONDS = 30.0


def act(verb: str, run: str, namespace: str, output: str, directory: str | None) -> None:
    """Asks for ``verb`` once and prints the run after it. Raises Failure."""
    import msgspec

    ref = run_ref(run, namespace)
    with Gateway(target.find(directory)) as gateway:
        answer = gateway.send("POST", f"{item(ref)}/{verb}", None, {}, ANSWER_SECONDS)
    if answer.status >= 400:
        raise Refused(answer)
    view = msgspec.json.decode(answer.body)
    if output == "json":
        document(view, output)
    else:
        say(told(ref, view["run"]["status"]))


def told(ref: FunctionRef, status: str) -> str:
    """A run's status in a sentence."""
    return f"run {ref} is {status}"
