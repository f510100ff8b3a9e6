"""Job groups: jobs that were submitted together."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.infrastructure import job_life
from runcrate_emulator.infrastructure.environments import scope
from runcrate_emulator.infrastructure.job_views import group_view
from runcrate_emulator.infrastructure.records import JobGroup
from runcrate_emulator.infrastructure.wire import not_found, one, world_of


async def get_group(request: Request) -> Response:
    """GET /job-groups/{id}."""
    return one(group_view(world_of(request), _find(request)))


async def cancel_group(request: Request) -> Response:
    """POST /job-groups/{id}/cancel: cancels its live jobs; a repeat changes nothing."""
    world = world_of(request)
    group = _find(request)
    # From the last to the first: those that wait for a place must not start when one ends.
    for job_id in reversed(group.job_ids):
        job = world.live_jobs.get(job_id)
        if job is not None:
            job_life.cancel(world, job, world.moment)
    return one(group_view(world, group))


def _find(request: Request) -> JobGroup:
    world = world_of(request)
    identifier: str = request.path_params["id"]
    group = world.job_groups.get(identifier)
    if group is None or group.environment_id != scope(request).id:
        raise not_found("job group", identifier)
    return group


routes = [
    Route("/job-groups/{id}", get_group, methods=["GET"]),
    Route("/job-groups/{id}/cancel", cancel_group, methods=["POST"]),
]
