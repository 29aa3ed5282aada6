"""Authentication policies and the endpoints that use them."""

from typing import Annotated, Literal

from msgspec import field

from services.contracts.workflow.node import Node, Part, Wrong, note_unknown
from services.contracts.workflow.read import name_of, read_object, read_part
from services.contracts.workflow.values import ScalarField, TextField, Uri, UriTemplate, read_text, read_uri

Scheme = Literal["basic", "bearer", "digest", "oauth2", "oidc"]


class AuthenticationReference(Part, frozen=True, kw_only=True):
    """A policy of ``use.authentications``, by name."""

    use: Annotated[str, name_of("authentications")]


class SecretAuthentication(Part, frozen=True, kw_only=True):
    """A policy whose properties are the keys of a secret of ``use.secrets``."""

    scheme: Scheme
    use: Annotated[str, name_of("secrets")]


class BasicAuthentication(Part, frozen=True, kw_only=True):
    """RFC 7617."""

    username: ScalarField
    password: ScalarField


class BearerAuthentication(Part, frozen=True, kw_only=True):
    """RFC 6750."""

    token: TextField


class DigestAuthentication(Part, frozen=True, kw_only=True):
    """RFC 7616."""

    username: ScalarField
    password: ScalarField


class OAuth2Token(Part, frozen=True, kw_only=True):
    """A token on whose behalf, or by whom, another is asked for (RFC 8693)."""

    token: TextField
    type: TextField


class OAuth2Client(Part, frozen=True, kw_only=True):
    """Who asks for the token, and how that is proven."""

    id: TextField | None = None
    secret: TextField | None = None
    assertion: TextField | None = None
    authentication: Literal[
        "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"
    ] = "client_secret_post"


class OAuth2Request(Part, frozen=True, kw_only=True):
    """How the request for a token is written."""

    encoding: Literal["application/x-www-form-urlencoded", "application/json"] = "application/x-www-form-urlencoded"


class OAuth2Endpoints(Part, frozen=True, kw_only=True):
    """Paths below the authority."""

    token: Uri = "/oauth2/token"
    revocation: Uri = "/oauth2/revoke"
    introspection: Uri = "/oauth2/introspect"


class OidcAuthentication(Part, frozen=True, kw_only=True):
    """OpenID Connect: the endpoints come from the authority's ``/.well-known/openid-configuration``."""

    authority: UriTemplate
    grant: Literal[
        "authorization_code",
        "client_credentials",
        "password",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ]
    client: OAuth2Client = OAuth2Client()
    request: OAuth2Request = OAuth2Request()
    issuers: list[TextField] = field(default_factory=list)
    scopes: list[TextField] = field(default_factory=list)
    audiences: list[TextField] = field(default_factory=list)
    username: ScalarField | None = None
    password: ScalarField | None = None
    subject: OAuth2Token | None = None
    actor: OAuth2Token | None = None


class OAuth2Authentication(OidcAuthentication, frozen=True, kw_only=True):
    """RFC 6749: as OpenID Connect, with the paths of the endpoints given or by default."""

    endpoints: OAuth2Endpoints = OAuth2Endpoints()


Authentication = (
    SecretAuthentication
    | BasicAuthentication
    | BearerAuthentication
    | DigestAuthentication
    | OAuth2Authentication
    | OidcAuthentication
)
_POLICIES: dict[str, type[Part]] = {
    "basic": BasicAuthentication,
    "bearer": BearerAuthentication,
    "digest": DigestAuthentication,
    "oauth2": OAuth2Authentication,
    "oidc": OidcAuthentication,
}


def read_authentication(node: Node) -> Authentication:
    """A policy: exactly one scheme, with its properties or the name of the secret that has them.

    Raises Wrong once what is wrong has been noted.
    """
    schemes = [scheme for scheme in read_object(node) if scheme in _POLICIES]
    unknown = [key for key in node.value if key not in _POLICIES]
    for key in unknown:
        note_unknown(node, key, list(_POLICIES))
    if len(schemes) != 1:
        node.refuse(f"exactly one of {', '.join(_POLICIES)}")
    if unknown:
        raise Wrong
    scheme = schemes[0]
    properties = node.child(scheme)._replace(secrets=True)
    if scheme == "bearer" and isinstance(properties.value, str):
        return BearerAuthentication(token=read_text(properties))
    if "use" in read_object(properties):
        if properties.value["use"] == "":
            properties.child("use").refuse("the name of a secret")
        return read_part(SecretAuthentication, properties, scheme=scheme)
    made = read_part(_POLICIES[scheme], properties)
    if isinstance(made, OidcAuthentication) and made.grant in ("authorization_code", "refresh_token"):
        properties.child("grant").refuse(
            "client_credentials, password or urn:ietf:params:oauth:grant-type:token-exchange",
            hint="this grant needs a person in front of a browser, or a token that one was given there",
            kind="unsupported",
        )
    return made  # type: ignore[return-value]


def read_authentication_or_reference(node: Node) -> Authentication | AuthenticationReference:
    """A policy, or the name of one in ``use.authentications``: ``use: NAME``, or the name alone."""
    if isinstance(node.value, str):
        return AuthenticationReference(use=name_of("authentications")(node))
    if "use" not in read_object(node):
        return read_authentication(node)
    if not isinstance(node.value["use"], str) or not node.value["use"]:
        node.child("use").refuse("the name of a policy in use.authentications")
    return read_part(AuthenticationReference, node)


Policy = Annotated[Authentication, read_authentication]
PolicyOrReference = Annotated[Authentication | AuthenticationReference, read_authentication_or_reference]


class Endpoint(Part, frozen=True, kw_only=True):
    """A URI, which may have ``{name}`` in it, and how one authenticates there."""

    uri: Uri
    authentication: PolicyOrReference | None = None


def read_endpoint(node: Node) -> Endpoint:
    """A URI alone, or an object with it."""
    if isinstance(node.value, str):
        return Endpoint(uri=read_uri(node))
    return read_part(Endpoint, node) if isinstance(node.value, dict) else node.refuse("a URI, or an object with uri")


EndpointField = Annotated[Endpoint, read_endpoint]


class ExternalResource(Part, frozen=True, kw_only=True):
    """Something to fetch."""

    endpoint: EndpointField
    name: str | None = None
