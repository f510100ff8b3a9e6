"""Environments, their secrets, and the endpoint of workspaces."""

from decimal import Decimal
from typing import Any

from runcrate_emulator.bodies import Body, Name, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.records import Environment
from runcrate_emulator.infrastructure.wire import CREATED, Result, conflict, fields, not_found
from runcrate_emulator.world import World


class _NewEnvironment(Body):
    name: Name


class _Change(Body):
    name: Name | None = None
    is_default: bool | None = None


routes = Endpoints()


routes.read(
    "/environments", lambda call: [_view(call.world, e) for e in call.world.environments.values()]
)
routes.read("/environments/{id}", lambda call: _view(call.world, _find(call)))


@routes.add("POST /environments", CREATED)
async def _create_environment(call: Call) -> Result:
    """409 for a name that is taken."""
    world = call.world
    name = (await call.read(_NewEnvironment)).name
    _refuse_taken(world, name)
    return _view(world, world.add_environment(name))


@routes.add("PATCH /environments/{id}")
async def _update_environment(call: Call) -> Result:
    """Rename it, or make it the default one."""
    world = call.world
    environment = _find(call)
    body = await call.read(_Change)
    name, is_default = body.name, body.is_default
    if name is None and is_default is None:
        refuse("name", "or `is_default` is required")
    if is_default is False and environment.is_default:
        refuse("is_default", "cannot be taken away; make another environment the default", 422)
    if name is not None and name != environment.name:
        _refuse_taken(world, name)
    if is_default:
        for other in world.environments.values():
            other.is_default = other is environment
    environment.name = name or environment.name
    environment.updated_at = world.moment
    return _view(world, environment)


@routes.add("DELETE /environments/{id}")
async def _delete_environment(call: Call) -> Result:
    """409 for the default one and for one that is in use."""
    environment = _find(call)
    if environment.is_default:
        raise conflict("The default environment cannot be deleted.")
    world = call.world
    holders = (world.live_instances, world.volumes, world.live_jobs, world.schedules)
    if any(one.environment_id == environment.id for held in holders for one in held.values()):
        raise conflict(
            f"Environment `{environment.name}` is not empty; "
            "nothing was deleted. Remove them first.",
        )
    del world.environments[environment.id]
    return None


def _find(call: Call) -> Environment:
    environment = call.world.environments.get(call.id)
    if environment is None:
        raise not_found("environment", call.id)
    return environment


def _refuse_taken(world: World, name: str) -> None:
    if any(environment.name == name for environment in world.environments.values()):
        raise conflict(f"There is already an environment `{name}`.")


def _view(world: World, environment: Environment) -> dict[str, Any]:
    left = credit.budget_left(world, environment)
    return {
        **fields(environment, "id name is_default created_at updated_at monthly_budget_usd"),
        "month_to_date_usd": credit.spent_this_month(world, environment.id),
        "budget_remaining_usd": None if left is None else max(left, Decimal(0)),
    }


routes.read(  # names only, in their order; they are set on the dashboard
    "/secrets",
    lambda call: [
        secret for _, secret in sorted(call.world.secrets.get(call.environment.id, {}).items())
    ],
)


@routes.add("GET /workspaces")
async def _list_workspaces(_: Call) -> Result:
    """Always refused: only OAuth callers have more than one, and the emulator has no OAuth."""
    raise ApiError(
        403,
        "forbidden",
        "`/workspaces` is for OAuth sign-ins only; an API key belongs to one workspace already.",
    )
