"""Import of a handler, and what its signature says about how it is called."""

from __future__ import annotations

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

from faas_runtime.cloudevents import CloudEvent
from faas_runtime.context import Context
from faas_runtime.errors import StartupError
from faas_runtime.invoke import Codec, Handler
from faas_runtime.source import PRIVATE

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_READS: dict[Any, str] = {
    bytes: "bytes",
    bytearray: "bytes",
    memoryview: "bytes",
    str: "text",
    CloudEvent: "cloudevent",
    # annotations that stay text because a name in them cannot be resolved
    "bytes": "bytes",
    "str": "text",
    "CloudEvent": "cloudevent",
    "faas_runtime.CloudEvent": "cloudevent",
}


def load_handler(reference: str) -> Handler:
    """The handler that ``module:attribute`` names. Raises StartupError; a traceback of the author's goes to the log."""
    module_name, _, path = reference.partition(":")
    target: Any = _import(module_name, reference)
    for part in path.split("."):
        if not hasattr(target, part):
            raise StartupError(
                f"handler {reference}: module {module_name!r} has no attribute {path!r}{_nearby(target)}"
            )
        target = getattr(target, part)
    if not callable(target):
        raise StartupError(f"handler {reference}: {path!r} is of type {type(target).__name__}, not a function")
    return describe(target, reference, _codec())


def describe(target: Callable[..., Any], reference: str, codec: Codec) -> Handler:
    """Kind, input and context of a callable, read from its signature. Raises StartupError when it fits no shape."""
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):  # some builtins do not tell
        return Handler(target, "sync", "json", False, codec)
    asynchronous = inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(type(target).__call__)
    required = [p for p in parameters if p.kind in _POSITIONAL and p.default is p.empty]
    if [p.name for p in required] == ["scope", "receive", "send"]:
        return Handler(target, "asgi", "bytes", False, codec)
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    variadic = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    keyword_only = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty]
    if len(required) > 2 or not (positional or variadic) or keyword_only:
        shown = f"{getattr(target, '__name__', reference)}{inspect.signature(target)}"
        raise StartupError(f"handler {reference} must take (event) or (event, context), but is {shown}")
    first = _annotation(positional[0], target) if positional else None
    return Handler(
        target=target,
        kind="async" if asynchronous else "sync",
        reads=_READS.get(first, "json") if _hashable(first) else "json",
        wants_context=len(positional) > 1 and _is_context(positional[1], target),
        codec=codec,
    )


def _import(name: str, reference: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise StartupError(f"handler {reference}: there is no module {name!r} in the function's source") from None
        _log_import_error(error)
        raise StartupError(
            f"handler {reference}: importing {name!r} failed: {error} (is it missing from the requirements?)"
        ) from None
    except BaseException as error:  # whatever a module does while it is imported, sys.exit included
        _log_import_error(error)
        raise StartupError(
            f"handler {reference}: importing {name!r} failed: {type(error).__name__}: {error}{_place(error)}"
        ) from None


def _log_import_error(error: BaseException) -> None:
    """The author's part of the traceback: from the first frame that is neither ours nor the import system's."""
    frames = error.__traceback__
    while frames is not None and (
        frames.tb_frame.f_globals.get("__package__") == __package__
        or frames.tb_frame.f_code.co_filename.startswith("<frozen")
        or frames.tb_frame.f_code.co_filename == importlib.__file__
    ):
        frames = frames.tb_next
    sys.stderr.write("".join(traceback.format_exception(type(error), error, frames)))


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):  # its text names file and line already
        return ""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return "" if last.filename.startswith("<frozen") else f" ({last.filename.rpartition('/')[2]}, line {last.lineno})"


def _nearby(target: Any) -> str:
    names = [name for name, value in vars(target).items() if callable(value) and not name.startswith("_")][:5]
    return f" (it has {', '.join(names)})" if names and isinstance(target, ModuleType) else ""


def _annotation(parameter: inspect.Parameter, target: Callable[..., Any]) -> Any:
    """The annotation of a parameter; one given as text is looked up where the handler was defined."""
    found = parameter.annotation
    if not isinstance(found, str):
        return found
    function = inspect.unwrap(target)
    function = getattr(function, "__func__", function)
    names = getattr(function, "__globals__", None) or vars(sys.modules[type(function).__module__])
    try:
        return eval(found, names)  # the author's own text, in the author's own module
    except Exception:  # a name that exists for type checkers alone: the text itself decides
        return found


def _is_context(parameter: inspect.Parameter, target: Callable[..., Any]) -> bool:
    annotation = _annotation(parameter, target)
    named = annotation is Context or annotation in ("Context", "faas_runtime.Context")
    return named or parameter.default is parameter.empty or parameter.name == "context"


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _codec() -> Codec:
    """JSON by the function's own msgspec when it brings one, so that its Structs are known to the encoder."""
    if PRIVATE[0] not in sys.modules:
        return Codec()
    own = sys.modules[PRIVATE[0]]
    try:
        return Codec(own.json.Decoder().decode, own.json.Encoder().encode)
    except AttributeError:  # some other module of that name
        return Codec()
