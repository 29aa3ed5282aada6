"""Kubernetes quantities (`128Mi`, `1.5G`, `500m`, `1e3`) as numbers."""

import re
from fractions import Fraction

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d{1,3})|([KMGTPE]i|[numkMGTPE]))?")
_BINARY = {unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)}
_DECIMAL = {
    unit: Fraction(10) ** power for unit, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
}


def parse_quantity(text: str | int | float) -> Fraction:
    """The value of a quantity, exact. Raises ValueError when it is none (source: API reference, `Quantity`)."""
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is not a quantity such as 128Mi, 0.5 or 250m")
    number, exponent, unit = match.groups()
    if exponent is not None:
        return Fraction(number) * Fraction(10) ** int(exponent)
    return Fraction(number) * (_BINARY.get(unit) or _DECIMAL.get(unit) or 1)
