"""Turns every error of the platform's HTTP API into the one error document."""

import logging

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.common.kube import ApiError
from services.contracts.errors import Code, FaasError
from services.gateway.request import Disconnected
from services.gateway.respond import error_fields

log = logging.getLogger("api")


_MISSING = {"function": Code.FUNCTION_NOT_FOUND, "workflow": Code.WORKFLOW_NOT_FOUND}


def of_api_server(error: ApiError, what: str) -> FaasError:
    """What an answer of the API server means to the caller; ``what`` names the object it was about."""
    match error.status:
        case 0:
            return FaasError(Code.API_UNAVAILABLE, "the API server cannot be reached; try again", retry_after=1)
        case 404:
            return FaasError(_MISSING.get(what.partition(" ")[0], Code.NOT_FOUND), f"{what} does not exist")
        case 409 if error.reason == "AlreadyExists":
            return FaasError(Code.CONFLICT, f"{what} exists already")
        case 409:
            return FaasError(Code.CONFLICT, f"{what} was changed by somebody else meanwhile: {error.message}")
        case 400 | 422:
            return FaasError(Code.INVALID_RESOURCE, error.message, details=error.causes)
        case 403 if "being terminated" in error.message:
            return FaasError(Code.CONFLICT, f"the namespace of {what} is being deleted; try again", retry_after=1)
        case 429 | 503:
            return FaasError(Code.API_UNAVAILABLE, f"the API server is overloaded: {error.message}", retry_after=1)
        case status:
            log.error("the API server answered %s: %s", status, error)
            return FaasError(Code.INTERNAL, f"the API server refused the gateway: {error.message} ({status})")


def response(error: FaasError, allow: str | None = None) -> Response:
    """An error as an answer."""
    fields = error_fields(error) | ({"allow": allow} if allow else {})
    return Response(error.body(), error.status, fields)


async def on_faas_error(_: Request, error: Exception) -> Response:
    """For FaasError, which has all that is needed."""
    assert isinstance(error, FaasError)
    return response(error)


async def on_api_error(_: Request, error: Exception) -> Response:
    """For an ApiError about no object in particular."""
    assert isinstance(error, ApiError)
    return response(of_api_server(error, "the resource"))


async def on_validation(_: Request, error: Exception) -> Response:
    """For query parameters that FastAPI refused: which, and why."""
    assert isinstance(error, RequestValidationError)
    details = [f"{'.'.join(map(str, found['loc'][1:]))}: {found['msg']}" for found in error.errors()]
    return response(
        FaasError(Code.BAD_REQUEST, "the request has wrong parameters: " + "; ".join(details), details=details)
    )


async def on_http(request: Request, error: Exception) -> Response:
    """For what FastAPI has no route for."""
    assert isinstance(error, HTTPException)
    path = ascii(request.url.path[:120])
    if error.status_code == 405:
        allow = (error.headers or {}).get("Allow")
        return response(FaasError(Code.METHOD_NOT_ALLOWED, f"{request.method} is not for {path}"), allow)
    return response(
        FaasError(
            Code.NOT_FOUND,
            f"there is nothing at {path}: functions are at /NAMESPACE/NAME, the platform's own addresses at /docs",
        )
    )


async def on_disconnect(_: Request, error: Exception) -> Response:
    """For a caller that left: nobody reads this."""
    assert isinstance(error, Disconnected)
    return Response(status_code=400)


HANDLERS = {
    FaasError: on_faas_error,
    ApiError: on_api_error,
    RequestValidationError: on_validation,
    HTTPException: on_http,
    Disconnected: on_disconnect,
}
