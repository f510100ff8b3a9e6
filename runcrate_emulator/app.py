"""The ASGI application: every subject's routes under the prefix of its surface."""

import asyncio
from collections.abc import Iterable
from types import ModuleType
from typing import NoReturn

from python_multipart.exceptions import FormParserError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route

from runcrate_emulator import files, page
from runcrate_emulator.errors import ApiError
from runcrate_emulator.gateway import Gateway
from runcrate_emulator.inference import (
    chat,
    embeddings,
    images,
    model_catalogue,
    speech,
    transcriptions,
    videos,
)
from runcrate_emulator.infrastructure import (
    billing,
    environments,
    instances,
    jobs,
    schedules,
    ssh_keys,
    storage,
    templates,
)
from runcrate_emulator.world import World

_INFERENCE = (chat, embeddings, images, model_catalogue, speech, transcriptions, videos)
_INFRASTRUCTURE = (instances, storage, environments, ssh_keys, templates, billing, jobs, schedules)


def create_app(world: World) -> Starlette:
    """Build the application on a world, which endpoints reach as `request.app.state.world`."""
    app = Starlette(
        routes=[
            *_prefixed("/v1", _INFERENCE),
            *_prefixed("/api/v1", _INFRASTRUCTURE),
            *page.routes,
            *files.routes,
            *jobs.signed_routes,
        ],
        middleware=[Middleware(Gateway, world=world)],
        # Every error is rendered by the gateway.
        exception_handlers={HTTPException: _refuse, FormParserError: _refuse},
    )
    app.router.redirect_slashes = False
    app.state.world = world
    # More threads of Python code would only keep the event loop waiting for its turn.
    app.state.media_work = asyncio.Semaphore(2)
    return app


def _prefixed(prefix: str, modules: Iterable[ModuleType]) -> Iterable[Route]:
    for module in modules:
        for route in module.routes:
            yield Route(prefix + route.path, route.endpoint, methods=list(route.methods))


def _refuse(request: Request, error: Exception) -> NoReturn:
    """Refuse a path, a method, or an invalid form (older versions of Starlette leave it to us)."""
    status = error.status_code if isinstance(error, HTTPException) else 400
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "validation_error")
    problem = error.detail if isinstance(error, HTTPException) else f"it is not a form: {error}"
    message = f"{request.method} {request.url.path}: {problem}."
    raise ApiError(status, code, message, headers=getattr(error, "headers", None))
