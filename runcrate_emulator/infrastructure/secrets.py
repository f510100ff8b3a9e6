"""Secrets of an environment: names only; they are set on the dashboard (`World.set_secret`)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.infrastructure.environments import scope
from runcrate_emulator.infrastructure.wire import iso, many, world_of


async def list_secrets(request: Request) -> Response:
    """GET /secrets, sorted by name."""
    world = world_of(request)
    secrets = world.secrets.get(scope(request).id, {})
    return many(
        {"key": s.key, "sensitive": s.sensitive, "updated_at": iso(s.updated_at)}
        for _, s in sorted(secrets.items())
    )


routes = [Route("/secrets", list_secrets, methods=["GET"])]
