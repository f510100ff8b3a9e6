"""Launch probes: one instance through the guard, inspected, changed, found by name and terminated.

The guard reserves its cost first and gives it the shortest lifetime; the session around the probes
terminates it whatever happens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.errors import APIStatusError
from runcrate_core.protocol.request import RetrySafety, infrastructure_request
from runcrate_core.protocol.response import Response
from runcrate_core.spending.limits import MIN_RUNTIME_MINUTES, SpendLimits
from runcrate_core.spending.money import worst_case
from runcrate_core.verification.exchanges import Exchanges
from runcrate_core.verification.probes import send

if TYPE_CHECKING:
    from runcrate_core.api.instances import Instance
    from runcrate_core.protocol.response import TransportFailure
    from runcrate_core.protocol.steps import Flow
    from runcrate_core.spending.guard import SpendGuard

NAME_PREFIX: Final = "runcrate-verify-"
_ENVIRONMENT: Final = {"RUNCRATE_VERIFY": "1"}


@dataclass(frozen=True, slots=True)
class Offer:
    """The cheapest instance type that is listed.

    Attributes:
        instance_type_id: Its identifier.
        gpu_type: Its GPU.
        gpu_count: Number of GPUs.
        price_per_hour: USD.
    """

    instance_type_id: str
    gpu_type: str
    gpu_count: int
    price_per_hour: Decimal

    def estimate_usd(self) -> Decimal:
        """Return what the shortest lifetime costs."""
        return worst_case(self.price_per_hour, MIN_RUNTIME_MINUTES)

    def limits(self) -> SpendLimits:
        """Return limits that allow this instance, once, and nothing else."""
        return SpendLimits(
            max_price_per_hour=self.price_per_hour,
            max_gpus=self.gpu_count,
            max_runtime_minutes=MIN_RUNTIME_MINUTES,
            max_instances=1,
            max_total_usd=self.estimate_usd(),
            name_prefix=NAME_PREFIX,
        )


def cheapest_offer(exchanges: Exchanges) -> Offer | None:
    """Return the cheapest instance type of the free probes, or `None` when none has a price."""
    offers = [
        offer for row in exchanges.rows("instance_types") if (offer := _offer(row)) is not None
    ]
    return min(offers, key=lambda offer: offer.price_per_hour, default=None)


def _offer(row: dict[str, Any]) -> Offer | None:
    name, gpu, count = row.get("id"), row.get("gpu_type"), row.get("gpu_count", 1)
    try:
        price = Decimal(str(row.get("hourly_rate")))
    except ArithmeticError:
        return None
    if not isinstance(name, str) or not isinstance(gpu, str) or not price.is_finite() or price <= 0:
        return None
    # Limits are about GPUs, so an instance type without one is not offered.
    return Offer(name, gpu, count, price) if isinstance(count, int) and count > 0 else None


def launch_probes(guard: SpendGuard, offer: Offer) -> Flow[Exchanges]:
    """Launch one instance, probe it and terminate it.

    Args:
        guard: A guard with the offer's limits, in a session that terminates what is left.
        offer: The instance type.

    Raises:
        SpendRefusedError: The limits or the approval refuse the launch. Nothing was launched.
        AmbiguousLaunchError: The response was lost and no instance of the name was found.
    """
    replies: dict[str, Response | TransportFailure] = {}
    instance = yield from _launch(guard, offer, replies)
    if instance is None:
        return Exchanges(replies)
    about = {"identifiers": {"instance_id": instance.id}}
    get, one = RetrySafety.SAFE, "/instances/{instance_id}"
    requests = {
        "instance_status": infrastructure_request("GET", f"{one}/status", get, **about),
        "instance_seen": infrastructure_request("GET", one, get, **about),
        "instances_by_name": infrastructure_request(
            "GET", "/instances", get, query={"search": instance.name}
        ),
        # The lifetime that it has: nothing gets longer or more expensive.
        "instance_updated": infrastructure_request(
            "PATCH", one, get, body={"max_runtime_minutes": MIN_RUNTIME_MINUTES}, **about
        ),
        "instance_deleted": infrastructure_request("DELETE", one, get, **about),
    }
    for name, request in requests.items():
        replies[name] = yield from send(request)
    # The guard asks again, and sees that it has ended.
    yield from guard.terminate(instance.id)
    ended = infrastructure_request("GET", one, get, **about)
    replies["instance_ended"] = yield from send(ended)
    return Exchanges(replies)


def _launch(
    guard: SpendGuard, offer: Offer, replies: dict[str, Response | TransportFailure]
) -> Flow[Instance | None]:
    """Launch with environment variables, and without them where that is refused."""
    attempts: dict[str, dict[str, Any]] = {
        "instance_with_variables": {"env_vars": _ENVIRONMENT},
        "instance_created": {},
    }
    for name, options in attempts.items():
        plan = yield from guard.plan(
            instance_type_id=offer.instance_type_id,
            gpu_count=offer.gpu_count,
            max_runtime_minutes=MIN_RUNTIME_MINUTES,
            name="probe",
            **options,
        )
        try:
            instance = yield from guard.launch(plan.token)
        except APIStatusError as error:
            replies[name] = Response(error.status_code or 0)
            if error.status_code not in {400, 422}:
                replies["instance_created"] = replies[name]
                return None
        else:
            created = _created(instance)
            replies.update({name: created, "instance_created": created})
            return instance
    return None


def _created(instance: Instance) -> Response:
    """Return the response to a launch, from the instance that was read from it."""
    head = instance.response
    body = json.dumps({"data": instance.to_dict()}, default=str).encode()
    return Response(head.status if head else 200, head.headers if head else {}, body)
