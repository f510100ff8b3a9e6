"""Workspaces: an endpoint for people who signed in, which API keys are refused."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.errors import ApiError


async def list_workspaces(_: Request) -> Response:
    """GET /workspaces: only OAuth callers have more than one (the service's own CLI).

    Raises:
        ApiError: 403 `forbidden`, always: the emulator has no OAuth.
    """
    raise ApiError(
        403,
        "forbidden",
        "`/workspaces` answers OAuth sign-ins only; an API key belongs to one workspace already.",
    )


routes = [Route("/workspaces", list_workspaces, methods=["GET"])]
