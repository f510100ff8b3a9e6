"""Storage volumes. Their fields are camelCase on the wire, unlike those of instances."""

import math
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any

from pydantic import Field

from runcrate_emulator.bodies import Body, Name, must, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit
from runcrate_emulator.infrastructure.catalogue import REGIONS
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.records import Volume
from runcrate_emulator.infrastructure.wire import CREATED, Result, conflict, fields
from runcrate_emulator.keys import PROJECT_ID
from runcrate_emulator.world import World

_USD_PER_GB_MONTH = Decimal("0.03")  # seed 003, as are the rules of payment
_DAY = timedelta(days=1)
_BILLING_WEEK = 7 * _DAY
_DAYS_PER_MONTH = 30  # the emulator's own, as is that only full days are refunded
_PROVIDER = "aws-s3"
_CENT = Decimal("0.01")
_REGION_IDS = tuple(region.id for region in REGIONS)

SizeGb = Annotated[int, Field(ge=1, le=16_384)]  # the emulator's own; no limit is documented


class _Resize(Body):
    size_gb: SizeGb


class _NewVolume(_Resize):
    name: Name
    region: Annotated[str, must(_REGION_IDS.__contains__, "must be the id of a storage region")]


routes = Endpoints()


routes.read(  # newest first
    "/storage",
    lambda call: [_view(call.world, v) for v in call.in_scope(call.world.volumes, "name", "id")],
)
routes.read(
    "/storage/regions",
    lambda _: [
        {"id": r.id, "name": f"{r.city}, {r.country}", "provider": _PROVIDER} for r in REGIONS
    ],
)
routes.read(
    "/storage/{id}", lambda call: _view(call.world, call.find(call.world.volumes, "volume"))
)


@routes.add("POST /storage", CREATED)
async def _create_volume(call: Call) -> Result:
    """Pays the first week. Not deduplicated by `Idempotency-Key`."""
    world = call.world
    environment = call.environment
    body = await call.read(_NewVolume)
    now = world.moment
    volume = Volume(
        id=world.new_id(),
        name=body.name,
        environment_id=environment.id,
        size_gb=body.size_gb,
        region=body.region,
        created_at=now,
        updated_at=now,
        paid_until=now + _BILLING_WEEK,
    )
    week = price_for_days(body.size_gb, _BILLING_WEEK.days)
    charge_volume(world, volume, week, "The first week")
    world.volumes[volume.id] = volume
    return _view(world, volume)


@routes.add("PATCH /storage/{id}")
async def _resize_volume(call: Call) -> Result:
    """Only upwards; pays the difference for the rest of the week."""
    world = call.world
    volume = call.find(world.volumes, "volume")
    size_gb = (await call.read(_Resize)).size_gb
    if size_gb <= volume.size_gb:
        refuse("size_gb", f"must be more than the present {volume.size_gb}", 422)
    days = math.ceil((volume.paid_until - world.moment) / _DAY)
    difference = price_for_days(size_gb - volume.size_gb, days)
    charge_volume(world, volume, difference, "More room")
    volume.size_gb, volume.updated_at = size_gb, world.moment
    return _view(world, volume)


@routes.add("DELETE /storage/{id}")
async def _delete_volume(call: Call) -> Result:
    """Refunds the unused days; the response has a body, not 204."""
    world = call.world
    volume = call.find(world.volumes, "volume")
    if world.instance_with_volume(volume.id) is not None:
        raise conflict(
            f"Volume `{volume.id}` is attached to an instance; nothing was deleted. "
            "Terminate the instance first.",
        )
    full_days = math.floor((volume.paid_until - world.moment) / _DAY)
    refund = price_for_days(volume.size_gb, full_days)
    if refund > 0:
        world.ledger.post("refund", refund, f"Unused days of volume {volume.name}", world.moment)
    del world.volumes[volume.id]
    return {"message": f"Volume {volume.name} deleted", "refund_amount": refund}


def price_for_days(size_gb: int, days: int) -> Decimal:
    """Cost of a number of days of a volume, rounded to the cent."""
    price = _USD_PER_GB_MONTH * size_gb * days / _DAYS_PER_MONTH
    return price.quantize(_CENT, ROUND_HALF_UP)


def charge_volume(world: World, volume: Volume, amount: Decimal, what: str) -> None:
    """Charge for a volume; 402 when the balance does not cover it."""
    if amount > credit.floating_balance(world):
        raise ApiError(
            402,
            "insufficient_credits",
            f"{what} costs {amount} USD in advance, more than the balance; nothing was done.",
        )
    description = f"{what} of volume {volume.name}"
    world.ledger.charge(volume.environment_id, amount, description, world.moment)


def pay_week(world: World, volume: Volume) -> None:
    """Charge the week that begins; with less than nothing left, no instance reaches the volume."""
    week = price_for_days(volume.size_gb, _BILLING_WEEK.days)
    description = f"A week of volume {volume.name}"
    world.ledger.charge(volume.environment_id, week, description, world.moment)
    volume.paid_until += _BILLING_WEEK


def _view(world: World, volume: Volume) -> dict[str, Any]:
    instance = world.instance_with_volume(volume.id)
    return {
        **fields(volume, "id name sizeGb region createdAt updatedAt"),
        "status": "available" if instance is None else "attached",
        "providerType": _PROVIDER,
        "deploymentId": None if instance is None else instance.id,
        "projectId": PROJECT_ID,
    }
