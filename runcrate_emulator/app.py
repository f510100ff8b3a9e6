"""The ASGI application: every subject's routes under the prefix of its surface."""

from collections.abc import Iterable
from types import ModuleType
from typing import NoReturn, cast

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
_INFRASTRUCTURE = (
    *(instances, storage, environments, ssh_keys, templates, billing),
    *(jobs, schedules),
)


def create_app(world: World) -> Starlette:
    """Build the application on a world, which endpoints reach as `request.app.state.world`."""
    app = Starlette(
        routes=[
            *_prefixed("/v1", _INFERENCE),
            *_prefixed("/api/v1", _INFRASTRUCTURE),
            *page.routes,
            *files.routes,
            *jobs.signed_routes,
            *billing.page_routes,
        ],
        middleware=[Middleware(Gateway, world=world)],
        # Every error is rendered by the gateway.
        exception_handlers={HTTPException: _refuse_route, FormParserError: _refuse_form},
    )
    app.router.redirect_slashes = False
    app.state.world = world
    return app


def _prefixed(prefix: str, modules: Iterable[ModuleType]) -> Iterable[Route]:
    for module in modules:
        for route in module.routes:
            yield Route(prefix + route.path, route.endpoint, methods=list(route.methods))


def _refuse_route(request: Request, error: Exception) -> NoReturn:
    found = cast("HTTPException", error)  # the only class that it is registered for
    code = {404: "not_found", 405: "method_not_allowed"}.get(found.status_code, "validation_error")
    message = f"{request.method} {request.url.path}: {found.detail}."
    raise ApiError(found.status_code, code, message, headers=found.headers)


def _refuse_form(_: Request, error: Exception) -> NoReturn:
    """Refuse what is no form, which older versions of Starlette leave to the application."""
    raise ApiError(400, "validation_error", f"The body is no form: {error}.")
