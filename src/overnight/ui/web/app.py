"""The application: routes behind the door, pages from memory, and one way for errors to be told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from overnight.core.errors import OvernightError
from overnight.core.version import VERSION
from overnight.ui.web import answers, assets
from overnight.ui.web.access import Access
from overnight.ui.web.acting_routes import acting, machines
from overnight.ui.web.guard import Guard, Rules
from overnight.ui.web.hall import Hall
from overnight.ui.web.now_routes import now
from overnight.ui.web.past_routes import measured, past
from overnight.ui.web.problems import Problem, of_error, problem
from overnight.ui.web.task_routes import tasks_and_flows

#: Every page is the same file; what it shows is in its address.
PAGES = ("tasks", "errors", "timeline", "workflows", "health", "checkpoints", "log", "api")
#: Those of which there is one for each thing of a kind.
_OF_EACH = ("tasks", "workflows")
_NOT_FOUND = 404
_REFERENCE = "#/components/schemas/{name}"


def make(hall: Hall, access: Access, rules: Rules) -> Guard:
    """The dashboard of a home, as uvicorn runs it."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        hall.begin()
        yield
        await hall.end()

    app = FastAPI(title="Overnight", version=VERSION, docs_url=None, redoc_url=None, lifespan=life)
    for part in (now, tasks_and_flows, past, measured, acting, machines):
        app.include_router(part(hall))
    _serve_pages(app)
    _tell_errors(app)
    _describe(app)
    return Guard(app, access, rules)


def _serve_pages(app: FastAPI) -> None:
    kept = assets.load()

    async def page(request: Request) -> Response:
        return kept["index.html"].answer(request)

    async def asset(request: Request) -> Response:
        found = kept.get(request.path_params["name"])
        return found.answer(request) if found else problem(404, "there is no such file")

    async def nowhere(request: Request, error: Exception) -> Response:
        """A person who mistyped an address is told by a page; whoever asks for data, by data."""
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
        path = request.url.path
        is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if error.status_code == _NOT_FOUND and is_page and not path.startswith(("/api/", "/static/")):
            told = kept["index.html"].answer(request)
            told.status_code = _NOT_FOUND
            return told
        return problem(
            error.status_code, "there is nothing here; nothing was done", "/openapi.json lists what there is"
        )

    app.add_exception_handler(HTTPException, nowhere)
    app.add_route("/", page, include_in_schema=False)
    app.add_route("/static/{name}", asset, include_in_schema=False)
    for name in PAGES:
        app.add_route(f"/{name}", page, include_in_schema=False)
    for name in _OF_EACH:
        app.add_route(f"/{name}/{{which}}", page, include_in_schema=False)


def _tell_errors(app: FastAPI) -> None:
    async def ours(_: Request, error: Exception) -> Response:
        assert isinstance(error, OvernightError)  # noqa: S101 - registered for nothing else
        return of_error(error)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - the same
        first = error.errors()[0]
        where = " ".join(part for part in first["loc"][1:] if isinstance(part, str)) or "the request"
        return problem(422, f"{where[:100]}: {first['msg'][:200]}; nothing was done", "/openapi.json says what fits")

    async def unexpected(_: Request, error: Exception) -> Response:
        return problem(500, f"unexpected {type(error).__name__}; this is a bug, and no task was touched")

    app.add_exception_handler(OvernightError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)


def _describe(app: FastAPI) -> None:
    """The OpenAPI document: requests as FastAPI checks them, answers as msgspec writes them."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = plain()
            _, schemas = msgspec.json.schema_components((*answers.ANSWERS, Problem), ref_template=_REFERENCE)
            document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's own way, "Extending OpenAPI"
