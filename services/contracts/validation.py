"""What makes a Function valid beyond its shape; the same rules stand in the CRD for the API server."""

import copy
import re
from typing import Any

import msgspec

from services.contracts.durations import InvalidDuration, parse_duration
from services.contracts.names import InvalidName, check_label
from services.contracts.resources import (
    API_VERSION,
    MAX_INLINE,
    MAX_TIMEOUT,
    EnvSource,
    Function,
    FunctionSpec,
    Source,
    Workflow,
)
from services.contracts.strict import unknown_fields


class InvalidResource(ValueError):
    """A manifest that may not be stored; ``problems`` names each wrong field, what is wrong and what was meant."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def decode_function(document: Any) -> Function:
    """A Function from a user's manifest, refusing what is wrong or unknown. Raises InvalidResource."""
    problems = unknown_fields(Function, document)
    try:
        function = msgspec.convert(document, Function)
    except msgspec.ValidationError:
        raise InvalidResource([*problems, *_wrong_values(document)]) from None
    problems += function_problems(function)
    if problems:
        raise InvalidResource(problems)
    return function


_MOST = 20
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_AT = re.compile(r" - at `\$((?:\.[^.\[\]`]+|\[\d+\])+)`$")
_MISSING = re.compile(r"Object missing required field `(.+?)`")


def _wrong_values(document: Any) -> list[str]:
    """Every value of a Function that has not its form. msgspec stops at the first: it is taken out to see the next."""
    rest = copy.deepcopy(document)
    problems: list[str] = []
    taken: set[str] = set()
    while len(problems) < _MOST:
        try:
            msgspec.convert(rest, Function)
            break
        except msgspec.ValidationError as error:
            text = str(error)
        place = found[1] if (found := _AT.search(text)) else ""
        if (missing := _MISSING.match(text)) and f"{place}.{missing[1]}" in taken:
            break  # by what was taken out
        problems.append(readable(text))
        if missing or not place or not _take_out(rest, place):
            break
        taken.add(place)
    return problems


def _take_out(document: Any, place: str) -> bool:
    """Removes the field at a path of msgspec's; whether it could be. Items of lists stay: others would move up."""
    *above, last = _STEP.findall(place)
    for key, index in above:
        document = document[key] if key else document[int(index)]
    return bool(last[0]) and isinstance(document, dict) and document.pop(last[0], None) is not None


_DURATION = "a duration such as 500ms, 60s, 1m30s or 2h"
_QUANTITY = "a quantity such as 500m, 2, 128Mi or 1Gi"
_FORMS = {
    "timeout": _DURATION,
    "window": _DURATION,
    "panicWindow": _DURATION,
    "scaleToZeroAfter": _DURATION,
    "cpu": _QUANTITY,
    "memory": _QUANTITY,
    "handler": "MODULE:NAME such as main:handle",
    "name": "letters, digits and '_', with no digit first",
    "archive": "a SHA-256 in 64 lower-case hexadecimal digits",
}
"""What the fields with a pattern should look like."""
_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing",
}
"""msgspec's names of types, for readers of YAML."""
_MISMATCH = re.compile(r"Expected `str` matching regex .* - at `\$\.(.*)`")


def readable(message: str) -> str:
    """msgspec's message with the field's path, and what it should look like in place of a regular expression."""
    found = _MISMATCH.fullmatch(message)
    if found is not None and (form := _FORMS.get(found[1].rpartition(".")[2])) is not None:
        return f"{found[1]}: expected {form}"
    said, _, place = message.partition(" - at `$")
    said = re.sub(r"`([^`]+)`", lambda name: " or ".join(_WORDS.get(word, word) for word in name[1].split(" | ")), said)
    place = place.rstrip("`").removeprefix(".") or "the manifest"
    return f"{place}: {said[:1].lower()}{said[1:]}"


def function_problems(function: Function) -> list[str]:
    """What is wrong with a Function of the right shape, one sentence a field; empty when it is valid."""
    return identity_problems(function, "Function") + spec_problems(function.spec)


def identity_problems(resource: Function | Workflow, kind: str) -> list[str]:
    """What is wrong with what a resource is and what it is called."""
    problems = []
    if resource.api_version != API_VERSION or resource.kind != kind:
        found = f"{resource.api_version} {resource.kind}"
        problems.append(f"apiVersion and kind: expected {API_VERSION} {kind}, got {found}")
    for what, text in (
        ("metadata.name", resource.metadata.name),
        ("metadata.namespace", resource.metadata.namespace or "default"),
    ):
        try:
            check_label(text, what)
        except InvalidName as error:
            problems.append(str(error))
    return problems


def spec_problems(spec: FunctionSpec) -> list[str]:
    """What is wrong with a spec of the right shape: the rules that span fields."""
    problems = []
    if (spec.image is None) == (spec.source is None):
        problems.append("spec: exactly one of source and image is needed")
    if spec.source is not None:
        problems += source_problems(spec.source)
    if spec.scale.min > spec.scale.max:
        problems.append(f"spec.scale: min ({spec.scale.min}) is above max ({spec.scale.max})")
    for name, text, low, high in (
        ("spec.timeout", spec.timeout, 0.001, MAX_TIMEOUT),
        ("spec.scale.window", spec.scale.window, 1.0, 3600.0),
        ("spec.scale.panicWindow", spec.scale.panic_window, 1.0, 3600.0),
        ("spec.scale.scaleToZeroAfter", spec.scale.scale_to_zero_after, 0.0, 86400.0),
    ):
        try:
            if not low <= parse_duration(text) <= high:
                problems.append(f"{name}: {text} is out of range ({low:g}s to {high:g}s)")
        except InvalidDuration as error:
            problems.append(f"{name}: {error}")
    for variable in spec.env:
        if variable.name.startswith("FAAS_"):
            problems.append(f"spec.env: {variable.name}: names that begin with FAAS_ belong to the platform")
        if (variable.value is None) == (variable.value_from is None):
            problems.append(f"spec.env: {variable.name}: exactly one of value and valueFrom is needed")
        if variable.value_from is not None and _present(variable.value_from) != 1:
            problems.append(
                f"spec.env: {variable.name}: valueFrom needs exactly one of secretKeyRef, configMapKeyRef and fieldRef"
            )
    problems += [
        f"spec.envFrom[{index}]: exactly one of secretRef and configMapRef is needed"
        for index, origin in enumerate(spec.env_from)
        if (origin.secret_ref is None) == (origin.config_map_ref is None)
    ]
    return problems


def _present(source: EnvSource) -> int:
    return sum(part is not None for part in (source.secret_key_ref, source.config_map_key_ref, source.field_ref))


_PATH = re.compile(r"(?!/)(?!.*(?:^|/)\.\.?(?:/|$))[^\x00-\x1f\\]{1,255}")


def source_problems(source: Source) -> list[str]:
    """What is wrong with a source: both or neither form, paths that leave the folder, too much inline text."""
    if (source.inline is None) == (source.archive is None):
        return ["spec.source: exactly one of inline and archive is needed"]
    if source.inline is None:
        return []
    problems = [
        f"spec.source.inline: {path!r} is not a relative path inside the folder"
        for path in source.inline
        if not _PATH.fullmatch(path)
    ]
    size = sum(len(path.encode()) + len(text.encode()) for path, text in source.inline.items())
    if not source.inline:
        problems.append("spec.source.inline: no file is listed")
    if size > MAX_INLINE:
        problems.append(
            f"spec.source.inline: {size} bytes; at most {MAX_INLINE} may stand in the resource: "
            "deploy the folder as an archive"
        )
    return problems
