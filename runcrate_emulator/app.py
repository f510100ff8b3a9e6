"""The ASGI application: every subject's routes under the prefix of its surface."""

from collections.abc import Iterable
from types import ModuleType
from typing import cast

from python_multipart.exceptions import FormParserError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from runcrate_emulator import files, page
from runcrate_emulator.errors import ApiError, envelope, surface_of
from runcrate_emulator.gateway import Gateway
from runcrate_emulator.inference import (
    chat,
    embeddings,
    images,
    models,
    speech,
    transcriptions,
    videos,
)
from runcrate_emulator.infrastructure import (
    billing,
    environments,
    instances,
    job_outputs,
    jobs,
    schedules,
    ssh_keys,
    storage,
    templates,
)
from runcrate_emulator.world import World

_INFERENCE = (chat, embeddings, images, models, speech, transcriptions, videos)
_INFRASTRUCTURE = (
    *(instances, storage, environments, ssh_keys, templates, billing),
    *(job_outputs, jobs, schedules),  # outputs before jobs: `/jobs/uploads` is not a job's id
)


def create_app(world: World) -> Starlette:
    """Build the application on a world.

    Args:
        world: The state that every endpoint reads and changes, as `request.app.state.world`.
    """
    app = Starlette(
        routes=[
            *_prefixed("/v1", _INFERENCE),
            *_prefixed("/api/v1", _INFRASTRUCTURE),
            *page.routes,
            *files.routes,
            *job_outputs.signed_routes,
        ],
        middleware=[Middleware(Gateway, world=world)],
        exception_handlers={
            ApiError: _render,
            HTTPException: _render_routing,
            FormParserError: _render_no_form,
        },
    )
    app.router.redirect_slashes = False
    app.state.world = world
    return app


def _prefixed(prefix: str, modules: Iterable[ModuleType]) -> Iterable[Route]:
    for module in modules:
        for route in module.routes:
            yield Route(prefix + route.path, route.endpoint, methods=list(route.methods))


async def _render(request: Request, error: Exception) -> Response:
    refusal = cast("ApiError", error)  # the only class that it is registered for
    body = envelope(refusal, surface_of(request.url.path))
    return JSONResponse(body, refusal.status, refusal.headers)


async def _render_routing(request: Request, error: Exception) -> Response:
    """Turn Starlette's own 404 and 405 into the envelope of the surface."""
    found = cast("HTTPException", error)  # the only class that it is registered for
    code = {404: "not_found", 405: "method_not_allowed"}.get(found.status_code, "validation_error")
    message = f"{request.method} {request.url.path}: {found.detail}."
    refusal = ApiError(found.status_code, code, message, headers=found.headers)
    return await _render(request, refusal)


async def _render_no_form(request: Request, error: Exception) -> Response:
    """Refuse what is no form, which older versions of Starlette leave to the application."""
    return await _render_routing(request, HTTPException(400, f"the body is no form: {error}"))
