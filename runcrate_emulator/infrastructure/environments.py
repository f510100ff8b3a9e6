"""Environments, their secrets, and the endpoint of workspaces."""

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Body, Name, read_body, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit
from runcrate_emulator.infrastructure.records import Environment
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    conflict,
    fields,
    many,
    not_found,
    nothing,
    one,
    scope,
    usd,
    world_of,
)

if TYPE_CHECKING:
    from runcrate_emulator.world import World


class _NewEnvironment(Body):
    name: Name


class _Change(Body):
    name: Name | None = None
    is_default: bool | None = None


async def list_environments(request: Request) -> Response:
    """GET /environments."""
    world = world_of(request)
    return many(_view(world, environment) for environment in world.environments.values())


async def create_environment(request: Request) -> Response:
    """POST /environments; 409 for a name that is taken."""
    world = world_of(request)
    name = (await read_body(request, _NewEnvironment)).name
    _refuse_taken(world, name)
    return one(_view(world, world.add_environment(name)), CREATED)


async def get_environment(request: Request) -> Response:
    """GET /environments/{id}."""
    world = world_of(request)
    return one(_view(world, _find(request)))


async def update_environment(request: Request) -> Response:
    """PATCH /environments/{id}: rename it, or make it the default one."""
    world = world_of(request)
    environment = _find(request)
    body = await read_body(request, _Change)
    name, is_default = body.name, body.is_default
    if name is None and is_default is None:
        refuse("name", "or `is_default` is required")
    if is_default is False and environment.is_default:
        refuse("is_default", "cannot be taken away; make another environment the default", 422)
    if name is not None and name != environment.name:
        _refuse_taken(world, name)
    if is_default:
        for other in world.environments.values():
            world.environments[other.id] = replace(other, is_default=False)
    changed = replace(
        environment,
        name=name or environment.name,
        is_default=environment.is_default or bool(is_default),
        updated_at=world.moment,
    )
    world.environments[changed.id] = changed
    return one(_view(world, changed))


async def delete_environment(request: Request) -> Response:
    """DELETE /environments/{id}; 409 for the default one and for one that is in use."""
    world = world_of(request)
    environment = _find(request)
    if environment.is_default:
        raise conflict("The default environment cannot be deleted.")
    if world.is_in_use(environment.id):
        raise conflict(
            f"Environment `{environment.name}` is not empty; "
            "nothing was deleted. Remove them first.",
        )
    del world.environments[environment.id]
    return nothing()


def _find(request: Request) -> Environment:
    world = world_of(request)
    identifier: str = request.path_params["id"]
    environment = world.environments.get(identifier)
    if environment is None:
        raise not_found("environment", identifier)
    return environment


def _refuse_taken(world: "World", name: str) -> None:
    if any(environment.name == name for environment in world.environments.values()):
        raise conflict(f"There is already an environment `{name}`.")


def _view(world: "World", environment: Environment) -> dict[str, Any]:
    spent = credit.spent_this_month(world, environment.id, world.moment)
    budget = environment.monthly_budget_usd
    return {
        **fields(environment, "id name is_default created_at updated_at monthly_budget_usd"),
        "month_to_date_usd": usd(spent),
        "budget_remaining_usd": None if budget is None else usd(max(budget - spent, Decimal(0))),
    }


async def list_secrets(request: Request) -> Response:
    """GET /secrets, sorted by name: names only; they are set on the dashboard."""
    secrets = world_of(request).secrets.get(scope(request).id, {})
    return many(fields(secret, "key sensitive updated_at") for _, secret in sorted(secrets.items()))


async def list_workspaces(_: Request) -> Response:
    """GET /workspaces: only OAuth callers have more than one (the service's own CLI).

    Raises:
        ApiError: 403 `forbidden`, always: the emulator has no OAuth.
    """
    raise ApiError(
        403,
        "forbidden",
        "`/workspaces` is for OAuth sign-ins only; an API key belongs to one workspace already.",
    )


routes = [
    Route("/environments", list_environments, methods=["GET"]),
    Route("/environments", create_environment, methods=["POST"]),
    Route("/environments/{id}", get_environment, methods=["GET"]),
    Route("/environments/{id}", update_environment, methods=["PATCH"]),
    Route("/environments/{id}", delete_environment, methods=["DELETE"]),
    Route("/secrets", list_secrets, methods=["GET"]),
    Route("/workspaces", list_workspaces, methods=["GET"]),
]
