"""JSON Schema over a run's data."""

import re
from functools import lru_cache
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import specification_with

from services.contracts.workflow.data import Schema
from services.workflow.engine.errors import standard


@lru_cache(maxsize=512)
def _validator(document: bytes) -> Any:
    schema = msgspec.json.decode(document)
    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise standard("configuration", f"a schema is none: {error.message}") from None
    return kind(schema, registry=Registry())  # an empty registry: a $ref never makes it fetch something


def violation(schema: Schema, value: Any) -> str | None:
    """The first violation, with the pointer of the value that broke the schema; None when there is none.

    Raises Raised (configuration) for a schema that is none, or that is elsewhere: whoever does I/O must have put
    ``resource`` into ``document`` before.
    """
    if schema.document is None:
        raise standard("configuration", "the schema's resource was not fetched")
    try:
        error = best_match(_validator(msgspec.json.encode(schema.document)).iter_errors(value))
    except Unresolvable as missing:
        raise standard("configuration", f"a schema refers to {missing.ref}, which is not in it") from None
    except (re.error, RecursionError, ArithmeticError) as wrong:
        raise standard("configuration", f"a schema can't be applied: {str(wrong)[:300]}") from None
    if error is None:
        return None
    return f"{''.join(f'/{part}' for part in error.absolute_path)}: {error.message[:300]}"


def check_references(schema: Schema) -> None:
    """Raises Raised (configuration) for a ``$ref`` to what is not in the schema, which is never fetched."""
    document = schema.document
    if not isinstance(document, dict):
        return
    dialect = specification_with(validator_for(document, default=Draft202012Validator).META_SCHEMA["$schema"])
    root = dialect.create_resource(document)
    waiting: list[tuple[Any, Resource[Any]]] = [(Registry[Any]().resolver_with_root(root), root)]
    while waiting:
        resolver, resource = waiting.pop()
        contents = resource.contents
        reference = contents.get("$ref") if isinstance(contents, dict) else None
        try:
            if isinstance(reference, str):
                resolver.lookup(reference)
            waiting += [(resolver.in_subresource(inner), inner) for inner in resource.subresources()]
        except (Unresolvable, ValueError, TypeError, LookupError, AttributeError):  # the last ones of what is no URI
            raise standard("configuration", f"a schema refers to {str(reference)[:300]}, which is not in it") from None
