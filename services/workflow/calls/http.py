"""The call ``http``."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.contracts.workflow.calls import HttpArguments, HttpOutput
from services.workflow.calls.answers import check, output_of
from services.workflow.calls.authorize import Sender
from services.workflow.calls.exchange import ENCODINGS, Request
from services.workflow.calls.policies import resolved
from services.workflow.calls.repeats import SAFE
from services.workflow.calls.values import body_of, headers_of, method_of, query_of, url_of

IDEMPOTENCY_KEY = "idempotency-key"


def request_of(
    *, method: Any, uri: Any, query: list[tuple[str, str]], headers: dict[str, str], body: Any, key: str, private: bool
) -> Request:
    """The request of a call. Raises CallError. ``private``: errors show no more of the URI than its origin."""
    url, verb = url_of(uri, query), method_of(method)
    data, content_type = body_of(body, headers.get("content-type", ""))
    made = {"accept": "application/json, */*;q=0.5", "accept-encoding": ENCODINGS, "user-agent": "faas-workflow"}
    made |= headers
    if content_type:
        made["content-type"] = content_type
    if verb not in SAFE:
        made.setdefault(IDEMPOTENCY_KEY, key)
    place = f"{verb} {url.origin()}" + ("" if private else url.path)
    return Request(method=verb, url=url, headers=made, body=data, place=place)


async def call(sender: Sender, arguments: HttpArguments, secrets: Mapping[str, Any], key: str) -> Any:
    """The output of a call. Raises CallError."""
    request = request_of(
        method=arguments.method,
        uri=arguments.endpoint.uri,
        query=query_of(arguments.query),
        headers=headers_of(arguments.headers),
        body=arguments.body,
        key=key,
        private=bool(secrets),
    )
    policy = resolved(arguments.endpoint.authentication, secrets)
    return await perform(sender, request, policy, arguments.output, arguments.redirect, bool(secrets))


async def perform(
    sender: Sender, request: Request, policy: Any, output: HttpOutput, redirect: bool, private: bool
) -> Any:
    """Sends a call's request and makes its output. Redirects are followed only when they are no errors."""
    last, reply = await sender.send(request, policy, follow=redirect)
    shown = request.place if last is request else f"{request.place}, redirected,"
    check(reply, redirect, shown)
    return output_of(msgspec.structs.replace(last, place=shown), reply, output, private)
