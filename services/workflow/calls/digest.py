"""HTTP Digest authentication (RFC 7616). Pure but for the client's nonce, which is given."""

import hashlib
import re

import msgspec

from services.workflow.calls.problems import CallError

_ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_SEPARATOR = re.compile(r"[\s,]*")
_SCHEME = re.compile(r"[\w!#$%&'*+.^`|~-]+")
_FIELD = re.compile(rf'({_SCHEME.pattern})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Challenge(msgspec.Struct, frozen=True):
    """What the server wants. ``qop``: "" for a server of RFC 2069."""

    realm: str
    nonce: str
    algorithm: str
    qop: str
    opaque: str | None
    userhash: bool
    stale: bool


def challenge_of(header: str) -> Challenge | None:
    """The first Digest challenge of a ``WWW-Authenticate`` header that can be answered."""
    for scheme, fields in _challenges(header):
        algorithm = fields.get("algorithm", "MD5").upper()
        offered = [each.strip().lower() for each in fields.get("qop", "").split(",") if each.strip()]
        qop = next((each for each in ("auth", "auth-int") if each in offered), "")
        known = algorithm.removesuffix("-SESS") in _ALGORITHMS and (bool(qop) or not offered)
        if scheme == "digest" and known and "nonce" in fields:
            return Challenge(
                realm=fields.get("realm", ""),
                nonce=fields["nonce"],
                algorithm=algorithm,
                qop=qop,
                opaque=fields.get("opaque"),
                userhash=fields.get("userhash", "").lower() == "true",
                stale=fields.get("stale", "").lower() == "true",
            )
    return None


def _challenges(header: str) -> list[tuple[str, dict[str, str]]]:
    """Schemes in order, each with its fields by lower-case name; what can't be read ends the list."""
    found: list[tuple[str, dict[str, str]]] = []
    position = 0
    while (skipped := _SEPARATOR.match(header, position)) is not None:
        position = skipped.end()
        field = _FIELD.match(header, position)
        if field is not None and found:
            value = field[3] if field[2] is None else re.sub(r"\\(.)", r"\1", field[2])
            found[-1][1].setdefault(field[1].lower(), value)
            position = field.end()
        elif field is None and (scheme := _SCHEME.match(header, position)) is not None:
            found.append((scheme[0].lower(), {}))
            position = scheme.end()
        else:
            break
    return found


def answer(
    challenge: Challenge, *, method: str, uri: str, body: bytes, username: str, password: str, cnonce: str
) -> str:
    """The ``Authorization`` header for the first use of a nonce. ``uri``: the request's path and query."""
    name = _ALGORITHMS[challenge.algorithm.removesuffix("-SESS")]

    def digest(text: str | bytes) -> str:
        return hashlib.new(name, text.encode() if isinstance(text, str) else text, usedforsecurity=False).hexdigest()

    first = digest(f"{username}:{challenge.realm}:{password}")
    if challenge.algorithm.endswith("-SESS"):
        first = digest(f"{first}:{challenge.nonce}:{cnonce}")
    second = f"{method}:{uri}" + (f":{digest(body)}" if challenge.qop == "auth-int" else "")
    uses = "00000001"
    middle = f"{uses}:{cnonce}:{challenge.qop}:" if challenge.qop else ""
    response = digest(f"{first}:{challenge.nonce}:{middle}{digest(second)}")
    user = digest(f"{username}:{challenge.realm}") if challenge.userhash else username
    fields = [f"username={_quoted(user)}"] if user.isascii() else [f"username*=UTF-8''{_extended(user)}"]
    fields += [f"realm={_quoted(challenge.realm)}", f"nonce={_quoted(challenge.nonce)}", f"uri={_quoted(uri)}"]
    fields += [f'response="{response}"', f"algorithm={challenge.algorithm}"]
    if challenge.qop:
        fields += [f"qop={challenge.qop}", f"nc={uses}", f'cnonce="{cnonce}"']
    if challenge.opaque is not None:
        fields.append(f"opaque={_quoted(challenge.opaque)}")
    if challenge.userhash:
        fields.append("userhash=true")
    return "Digest " + ", ".join(fields)


def _quoted(text: str) -> str:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise CallError("authentication", "digest: a control character in the user's name or in the challenge")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _extended(text: str) -> str:
    return "".join(chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}" for byte in text.encode())
