"""Kubernetes quantities: `500m`, `1.5`, `128Mi`, `1e3` (API conventions, resource.Quantity)."""

import functools
import re
from fractions import Fraction

_SYNTAX = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


@functools.lru_cache(maxsize=4096)  # the same few are in every Pod
def parse(text: str) -> Fraction:
    """The number; fractions below a billionth are rounded up. Raises ValueError when it is no quantity."""
    return _split(text)[0]


@functools.lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """As the API server writes it: the largest suffix that leaves a whole number, in the style that was used."""
    value, style = _split(text)
    if value == 0:
        return "0"
    if style == "binary" and abs(value) >= 1024 and value.denominator == 1:
        power = max((p for p in (0, *_BINARY.values()) if value % (1 << p) == 0), default=0)
        suffix = next((name for name, p in _BINARY.items() if p == power), "")
        return f"{value.numerator >> power}{suffix}"
    power = max(p for p in _DECIMAL.values() if (value / Fraction(10) ** p).denominator == 1)
    whole = (value / Fraction(10) ** power).numerator
    if style == "exponent":
        return f"{whole}e{power}" if power else str(whole)
    return f"{whole}{next(name for name, p in _DECIMAL.items() if p == power)}"


def _split(text: str) -> tuple[Fraction, str]:
    found = _SYNTAX.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no quantity")
    sign, number, suffix = found[1], found[2], found[3] or ""
    value = Fraction(number if number[-1] != "." else f"{number}0") * (-1 if sign == "-" else 1)
    style = "binary" if suffix in _BINARY else "exponent" if suffix[1:].lstrip("+-").isdigit() else "decimal"
    if style == "binary":
        value *= 1 << _BINARY[suffix]
    else:
        value *= Fraction(10) ** (int(suffix[1:]) if style == "exponent" else _DECIMAL[suffix])
    nano = value * 10**9
    if nano.denominator != 1:
        value = Fraction(-(-nano.numerator // nano.denominator), 10**9)
    return value, style
