"""What of a definition only the service can check: jq programs, JSON Schemas, cron values."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
from cronsim import CronSim, CronSimError

from services.contracts.workflow import Definition, InvalidWorkflow, Problem, parse, schemas
from services.workflow import expressions
from services.workflow.engine.errors import Raised
from services.workflow.engine.schemas import check_references, violation


def check(document: bytes) -> list[Problem]:
    """All that is wrong with a definition's document (JSON); nothing, when it may be run."""
    try:
        definition = parse(msgspec.json.decode(document))
    except msgspec.DecodeError as error:
        return [Problem("", "syntax", f"no JSON: {error}", "a definition as JSON")]
    except InvalidWorkflow as invalid:
        return invalid.problems
    return [*expressions.problems(definition), *_schemas(definition), *_cron(definition)]


def _schemas(definition: Definition) -> Iterator[Problem]:
    for pointer, schema in schemas(definition):
        if schema.resource is not None:
            continue  # it is fetched when all that is here is right, and the definition is then checked with it
        try:
            violation(schema, None)
            check_references(schema)
        except Raised as raised:
            yield Problem(f"{pointer}/document", "rule", "no JSON Schema", "a JSON Schema", raised.error["detail"])


def _cron(definition: Definition) -> Iterator[Problem]:
    cron = None if definition.schedule is None else definition.schedule.cron
    if cron is None:
        return
    try:
        next(CronSim(cron, datetime.now(UTC)))
    except (CronSimError, StopIteration) as error:
        wrong = str(error) or "it has no next time"
        yield Problem("/schedule/cron", "rule", repr(cron), "minute, hour, day, month and day of the week", wrong)
