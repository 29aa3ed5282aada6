"""Validation rules of custom resources (`x-kubernetes-validations`) in the part of CEL that such rules mostly use.

Literals, field access, `has()`, indexing, `in`, arithmetic, comparisons, `&&`, `||`, `!`, `?:`, the macros `all`,
`exists`, `exists_one`, `filter` and `map`, and the functions in cel_functions.py. Source: the CEL specification and
"Validation rules" of the Kubernetes documentation. Anything else does not compile.
"""

import re
from collections.abc import Callable
from typing import Any

from cli.local.apiserver.cel_functions import (
    FUNCTIONS,
    METHODS,
    CelError,
    arithmetic,
    call_function,
    call_method,
    compare,
)

Env = dict[str, Any]
Expr = Callable[[Env], Any]

_TOKEN = re.compile(
    r"""\s*(?:(?P<number>\d+\.\d+|\d+u?)|(?P<string>r?'(?:[^'\\]|\\.)*'|r?"(?:[^"\\]|\\.)*")
      |(?P<name>[A-Za-z_]\w*)|(?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}]))""",
    re.VERBOSE,
)
_LEVELS: list[tuple[str, ...]] = [("==", "!=", "<", "<=", ">", ">=", "in"), ("+", "-"), ("*", "/", "%")]
_MACROS = ("all", "exists", "exists_one", "filter", "map")
_CONSTANTS = {"true": True, "false": False, "null": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
# Kubernetes spells field names that CEL cannot write with these.
_FIELD_ESCAPE = re.compile(r"__(dot|dash|slash|underscores)__")
_FIELD_CHARACTERS = {"dot": ".", "dash": "-", "slash": "/", "underscores": "__"}


def compile_rule(text: str) -> Expr:
    """Compile an expression over `self` and `oldSelf`. Raises CelError when it is not understood."""
    parser = _Parser(text)
    expression = parser.ternary()
    parser.expect("")
    return expression


class _Parser:
    """Recursive descent; each method returns a function that evaluates what it has read."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise CelError(f"syntax error at {text[at:].strip()[:20]!r}")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._tokens.append(("end", ""))

    def expect(self, token: str) -> None:
        if not self._take(token):
            raise CelError(f"syntax error at {self._tokens[self._at][1]!r}, {token or 'the end'!r} was expected")

    def _take(self, token: str) -> bool:
        kind, text = self._tokens[self._at]
        if text == token and kind != "string":
            self._at += 1
            return True
        return False

    def ternary(self) -> Expr:
        condition = self._either()
        if not self._take("?"):
            return condition
        yes = self.ternary()
        self.expect(":")
        no = self.ternary()
        return lambda env: yes(env) if _truth(condition(env)) else no(env)

    def _either(self) -> Expr:
        terms = [self._both()]
        while self._take("||"):
            terms.append(self._both())
        return terms[0] if len(terms) == 1 else lambda env: _logic([_bound(t, env) for t in terms], decides=True)

    def _both(self) -> Expr:
        terms = [self._binary(0)]
        while self._take("&&"):
            terms.append(self._binary(0))
        return terms[0] if len(terms) == 1 else lambda env: _logic([_bound(t, env) for t in terms], decides=False)

    def _binary(self, level: int) -> Expr:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while (operator := next((op for op in _LEVELS[level] if self._take(op)), None)) is not None:
            left = _operation(compare if level == 0 else arithmetic, operator, left, self._binary(level + 1))
        return left

    def _unary(self) -> Expr:
        if self._take("!"):
            operand = self._unary()
            return lambda env: not _truth(operand(env))
        if self._take("-"):
            operand = self._unary()
            return lambda env: arithmetic("-", 0, operand(env))
        return self._postfix(self._primary())

    def _postfix(self, value: Expr) -> Expr:
        while True:
            if self._take("."):
                name = self._name()
                value = self._method(value, name) if self._take("(") else _field(value, name)
            elif self._take("["):
                value = _index(value, self.ternary())
                self.expect("]")
            else:
                return value

    def _primary(self) -> Expr:
        if self._take("("):
            inner = self.ternary()
            self.expect(")")
            return inner
        if self._take("["):
            items = self._arguments("]")
            return lambda env: [item(env) for item in items]
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return _literal(float(text) if "." in text else int(text.rstrip("u")))
        if kind == "string":
            return _literal(_unquote(text))
        if kind != "name":
            raise CelError(f"syntax error at {text or 'the end'!r}")
        if text in _CONSTANTS:
            return _literal(_CONSTANTS[text])
        if self._take("("):
            return self._has() if text == "has" else _call(text, self._arguments(")"))
        return _variable(text)

    def _has(self) -> Expr:
        """`has(a.b.c)`: whether the last field is there."""
        target = _variable(self._name())
        path: list[str] = []
        while self._take("."):
            path.append(self._name())
        self.expect(")")
        if not path:
            raise CelError("has() needs a field selection")
        for name in path[:-1]:
            target = _field(target, name)
        return lambda env: isinstance(found := target(env), dict) and _unescape(path[-1]) in found

    def _method(self, target: Expr, name: str) -> Expr:
        if name not in _MACROS:
            if name not in METHODS:
                raise CelError(f"the method {name} is not known here")
            arguments = self._arguments(")")
            return lambda env: call_method(name, target(env), [argument(env) for argument in arguments])
        variable = self._name()
        self.expect(",")
        body = self.ternary()
        self.expect(")")
        return lambda env: _macro(name, target(env), lambda item: body({**env, variable: item}))

    def _arguments(self, end: str) -> list[Expr]:
        found: list[Expr] = []
        while not self._take(end):
            found.append(self.ternary())
            if not self._take(","):
                self.expect(end)
                break
        return found

    def _name(self) -> str:
        kind, text = self._tokens[self._at]
        if kind != "name":
            raise CelError(f"syntax error at {text!r}, a name was expected")
        self._at += 1
        return text


def _literal(value: Any) -> Expr:
    return lambda env: value


def _bound(expression: Expr, env: Env) -> Callable[[], Any]:
    return lambda: expression(env)


def _operation(apply: Callable[[str, Any, Any], Any], operator: str, left: Expr, right: Expr) -> Expr:
    return lambda env: apply(operator, left(env), right(env))


def _call(name: str, arguments: list[Expr]) -> Expr:
    if name not in FUNCTIONS:
        raise CelError(f"the function {name} is not known here")
    return lambda env: call_function(name, [argument(env) for argument in arguments])


def _variable(name: str) -> Expr:
    def read(env: Env) -> Any:
        if name not in env:
            raise CelError(f"undeclared reference to {name!r}")
        return env[name]

    return read


def _field(target: Expr, name: str) -> Expr:
    field = _unescape(name)

    def read(env: Env) -> Any:
        value = target(env)
        if not isinstance(value, dict) or field not in value:
            raise CelError(f"no such key: {field}")
        return value[field]

    return read


def _unescape(name: str) -> str:
    return _FIELD_ESCAPE.sub(lambda found: _FIELD_CHARACTERS[found[1]], name)


def _index(target: Expr, index: Expr) -> Expr:
    def read(env: Env) -> Any:
        value, at = target(env), index(env)
        if isinstance(value, dict) and at in value:
            return value[at]
        if isinstance(value, list) and isinstance(at, int) and 0 <= at < len(value):
            return value[at]
        raise CelError(f"no such key: {at}")

    return read


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CelError("no such overload: a condition must be a bool")
    return value


def _logic(terms: list[Callable[[], Any]], *, decides: bool) -> bool:
    """`||` and `&&`: a deciding operand wins over the errors of others, whatever their order."""
    problem: CelError | None = None
    for term in terms:
        try:
            if _truth(term()) is decides:
                return decides
        except CelError as error:
            problem = error
    if problem is not None:
        raise problem
    return not decides


def _macro(name: str, target: Any, body: Expr) -> Any:
    if not isinstance(target, list | dict):
        raise CelError(f"no such overload: {name}")
    items = list(target)
    if name == "map":
        return [body(item) for item in items]
    if name in ("all", "exists"):
        return _logic([_bound(body, item) for item in items], decides=name == "exists")
    matching = [item for item in items if _truth(body(item))]
    return matching if name == "filter" else len(matching) == 1


def _unquote(text: str) -> str:
    if text[0] == "r":
        return text[2:-1]
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1])
