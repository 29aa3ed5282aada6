"""Probes, metrics and the description of the API."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from services.gateway import docs_page


def router(app: FastAPI, ready: Callable[[], str | None], metrics: Callable[[], bytes]) -> APIRouter:
    """The routes. ``ready`` says what is missing, or None; ``metrics`` gives the Prometheus text format."""
    routes = APIRouter(tags=["platform"])

    @routes.get("/healthz", summary="Whether this process works", response_class=PlainTextResponse)
    async def healthz() -> str:
        return "ok\n"

    @routes.get("/readyz", summary="Whether calls would be taken", response_class=PlainTextResponse)
    async def readyz() -> Response:
        missing = ready()
        return PlainTextResponse(f"not ready: {missing}\n" if missing else "ok\n", 503 if missing else 200)

    @routes.get("/metrics", summary="Figures in the Prometheus text format", response_class=PlainTextResponse)
    async def prometheus() -> Response:
        return Response(metrics(), media_type=CONTENT_TYPE_LATEST)

    @routes.get("/docs", summary="This page", response_class=HTMLResponse)
    async def docs() -> Response:
        return HTMLResponse(docs_page.render(app.openapi()), headers={"content-security-policy": docs_page.POLICY})

    return routes
