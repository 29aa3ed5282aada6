"""Names of namespaces, functions and workflows: DNS-1123 labels (RFC 1123 section 2.1, as Kubernetes reads it).

A label has no dot, wildcard, slash, space or upper case, so a checked name is exactly one token of a NATS subject, one
segment of a URL path and one valid Kubernetes name.
"""

import re
from typing import NamedTuple

MAX_LABEL = 63
"""Characters."""
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
"""The same rule for a JSON schema, which states the length (63) beside it."""


class InvalidName(ValueError):
    """A name that is not a DNS-1123 label; the message says what is wrong with which name."""


class FunctionRef(NamedTuple):
    """A Function by namespace and name, both checked."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def is_label(text: str) -> bool:
    """Whether ``text`` is a DNS-1123 label of 1 to 63 characters."""
    return _LABEL.fullmatch(text) is not None


def check_label(text: str, what: str = "name") -> str:
    """``text`` itself when it is a DNS-1123 label; else raises InvalidName with the reason, calling it ``what``."""
    if _LABEL.fullmatch(text) is not None:
        return text
    if not text:
        raise InvalidName(f"the {what} is empty")
    if len(text) > MAX_LABEL:
        raise InvalidName(f"the {what} {_shown(text)} has {len(text)} characters; at most {MAX_LABEL} are allowed")
    raise InvalidName(
        f"the {what} {_shown(text)} is not valid: use lower-case letters a-z, digits and '-', "
        "beginning and ending with a letter or digit"
    )


def parse_ref(text: str) -> FunctionRef:
    """``namespace/name`` as a FunctionRef. Raises InvalidName saying which part is missing or wrong."""
    namespace, slash, name = text.partition("/")
    if not slash:
        raise InvalidName(f"{_shown(text)} has no '/': write namespace/name")
    return FunctionRef(check_label(namespace, "namespace"), check_label(name, "name"))


def _shown(text: str) -> str:
    """At most 80 characters of ``text``, with control and non-ASCII characters escaped, quoted."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
