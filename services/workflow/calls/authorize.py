"""Sends requests as an authentication policy says."""

import base64
import re
import secrets
from typing import Any

import msgspec

from services.contracts.workflow.auth import BasicAuthentication, BearerAuthentication, DigestAuthentication
from services.workflow.calls import digest
from services.workflow.calls.exchange import Exchange, Reply, Request
from services.workflow.calls.policies import Policy
from services.workflow.calls.problems import CallError, configuration
from services.workflow.calls.redirects import redirected, same_origin
from services.workflow.calls.tokens import Tokens

_TOKEN = re.compile(r"[\x21-\x7e]+")


class Sender:
    """Requests with authentication and redirects."""

    def __init__(self, exchange: Exchange, max_redirects: int) -> None:
        self._exchange = exchange
        self._tokens = Tokens(exchange)
        self._max_redirects = max_redirects

    async def send(
        self, request: Request, policy: Policy | None, *, follow: bool, max_answer: int | None = None
    ) -> tuple[Request, Reply]:
        """The answer, and the request that it is to: the last one when redirects are followed. Raises CallError."""
        for _ in range(self._max_redirects + 1):
            reply = await self._authorized(request, policy, max_answer)
            target = redirected(request, reply) if follow else None
            if target is None:
                return request, reply
            if not same_origin(request.url, target.url):
                policy = None
            request = target
        raise CallError("communication", f"{request.place}: more than {self._max_redirects} redirects", 508)

    async def _authorized(self, request: Request, policy: Policy | None, max_answer: int | None) -> Reply:
        if policy is None:
            return await self._exchange.send(request, max_answer)
        if isinstance(policy, BasicAuthentication):
            return await self._exchange.send(_with(request, basic(policy)), max_answer)
        if isinstance(policy, BearerAuthentication):
            return await self._exchange.send(_with(request, bearer(str(policy.token))), max_answer)
        if isinstance(policy, DigestAuthentication):
            return await self._digest(request, policy, max_answer)
        token, kept = await self._tokens.get(policy)
        reply = await self._exchange.send(_with(request, bearer(token)), max_answer)
        if reply.status == 401 and kept:  # revoked before its time: with 401 nothing was done, so another is tried
            token, _ = await self._tokens.get(policy, instead_of=token)
            reply = await self._exchange.send(_with(request, bearer(token)), max_answer)
        return reply

    async def _digest(self, request: Request, policy: DigestAuthentication, max_answer: int | None) -> Reply:
        reply = await self._exchange.send(request, max_answer)
        for again in (False, True):
            challenge = digest.challenge_of(reply.header("www-authenticate")) if reply.status == 401 else None
            if challenge is None or (again and not challenge.stale):
                break
            header = digest.answer(
                challenge,
                method=request.method,
                uri=request.url.raw_path_qs,
                body=request.body or b"",
                username=str(policy.username),
                password=str(policy.password),
                cnonce=secrets.token_hex(16),
            )
            reply = await self._exchange.send(_with(request, header), max_answer)
        return reply


def _with(request: Request, authorization: str) -> Request:
    return msgspec.structs.replace(request, headers=request.headers | {"authorization": authorization})


def basic(policy: Any) -> str:
    """RFC 7617's header. Raises CallError for a user name that it can't carry."""
    if ":" in str(policy.username):
        raise configuration("authentication: a colon in the username, which Basic can't carry")
    return "Basic " + base64.b64encode(f"{policy.username}:{policy.password}".encode()).decode()


def bearer(token: str) -> str:
    """RFC 6750's header. Raises CallError for what is no token."""
    if not _TOKEN.fullmatch(token):
        raise CallError("authentication", "the token is empty, or has characters that no token has")
    return f"Bearer {token}"
