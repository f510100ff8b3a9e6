"""Storage volumes. Their fields are camelCase on the wire, unlike those of instances."""

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Fields, read_object
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import volumes
from runcrate_emulator.infrastructure.catalogue import REGIONS
from runcrate_emulator.infrastructure.environments import scope
from runcrate_emulator.infrastructure.launches import LONGEST_NAME
from runcrate_emulator.infrastructure.records import BILLING_WEEK, Volume
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    iso,
    many,
    not_found,
    one,
    search_matches,
    usd,
    world_of,
)
from runcrate_emulator.workspace import PROJECT_ID
from runcrate_emulator.world import World

_MAX_GB = 16_384  # the emulator's own; no limit is documented


async def list_volumes(request: Request) -> Response:
    """GET /storage, newest first."""
    world = world_of(request)
    environment = scope(request)
    return many(
        _view(world, volume)
        for volume in reversed(world.volumes.values())
        if volume.environment_id == environment.id
        and search_matches(request, volume.name, volume.id)
    )


async def list_regions(request: Request) -> Response:
    """GET /storage/regions, of the workspace's one storage provider."""
    world = world_of(request)
    return many(
        {"id": r.id, "name": f"{r.city}, {r.country}", "provider": world.storage_provider}
        for r in REGIONS
        if world.storage_provider is not None
    )


async def create_volume(request: Request) -> Response:
    """POST /storage: pays the first week. Not deduplicated by `Idempotency-Key`."""
    world = world_of(request)
    environment = scope(request)
    fields = Fields(await read_object(request))
    name = fields.required("name", fields.text("name", longest=LONGEST_NAME))
    size_gb = fields.required("size_gb", fields.integer("size_gb", 1, _MAX_GB))
    region = fields.required("region", fields.one_of("region", [place.id for place in REGIONS]))
    fields.finish()
    if world.storage_provider is None:
        raise ApiError(
            409,
            "conflict",
            "The workspace has no storage provider; nothing was created. "
            "Configure one on the dashboard.",
        )
    now = world.moment
    volume = Volume(
        id=world.new_id(),
        name=name,
        environment_id=environment.id,
        size_gb=size_gb,
        region=region,
        created_at=now,
        updated_at=now,
        paid_until=now + BILLING_WEEK,
    )
    week = volumes.price_for_days(size_gb, BILLING_WEEK.days)
    volumes.charge_volume(world, volume, week, "The first week", now)
    world.volumes[volume.id] = volume
    return one(_view(world, volume), CREATED)


async def get_volume(request: Request) -> Response:
    """GET /storage/{id}."""
    return one(_view(world_of(request), _find(request)))


async def resize_volume(request: Request) -> Response:
    """PATCH /storage/{id}: only upwards; pays the difference for the rest of the week."""
    world = world_of(request)
    volume = _find(request)
    fields = Fields(await read_object(request))
    size_gb = fields.required("size_gb", fields.integer("size_gb", 1, _MAX_GB))
    fields.finish()
    if size_gb <= volume.size_gb:
        fields.bad_value("size_gb", f"must be more than the present {volume.size_gb}")
    days = volumes.days_left(volume, world.moment, with_today=True)
    difference = volumes.price_for_days(size_gb - volume.size_gb, days)
    volumes.charge_volume(world, volume, difference, "More room", world.moment)
    changed = replace(volume, size_gb=size_gb, updated_at=world.moment)
    world.volumes[volume.id] = changed
    return one(_view(world, changed))


async def delete_volume(request: Request) -> Response:
    """DELETE /storage/{id}: refunds the unused days; answers a body, not 204."""
    world = world_of(request)
    volume = _find(request)
    if world.machine_with_volume(volume.id) is not None:
        raise ApiError(
            409,
            "conflict",
            f"Volume `{volume.id}` is attached to a machine; nothing was deleted. "
            "Terminate the machine first.",
        )
    days = volumes.days_left(volume, world.moment, with_today=False)
    refund = volumes.price_for_days(volume.size_gb, days)
    if refund > 0:
        world.ledger.post("refund", refund, f"Unused days of volume {volume.name}", world.moment)
    del world.volumes[volume.id]
    return one({"message": f"Volume {volume.name} deleted", "refund_amount": usd(refund)})


def _find(request: Request) -> Volume:
    world = world_of(request)
    identifier: str = request.path_params["id"]
    volume = world.volumes.get(identifier)
    if volume is None or volume.environment_id != scope(request).id:
        raise not_found("volume", identifier)
    return volume


def _view(world: World, volume: Volume) -> dict[str, Any]:
    machine = world.machine_with_volume(volume.id)
    status = "available" if machine is None else "attached"
    return {
        "id": volume.id,
        "name": volume.name,
        "sizeGb": volume.size_gb,
        "status": "suspended" if volume.is_suspended else status,
        "region": volume.region,
        "providerType": world.storage_provider,
        "deploymentId": None if machine is None else machine.id,
        "projectId": PROJECT_ID,
        "createdAt": iso(volume.created_at),
        "updatedAt": iso(volume.updated_at),
    }


routes = [
    Route("/storage", list_volumes, methods=["GET"]),
    Route("/storage", create_volume, methods=["POST"]),
    Route("/storage/regions", list_regions, methods=["GET"]),
    Route("/storage/{id}", get_volume, methods=["GET"]),
    Route("/storage/{id}", resize_volume, methods=["PATCH"]),
    Route("/storage/{id}", delete_volume, methods=["DELETE"]),
]
