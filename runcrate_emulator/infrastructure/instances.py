"""Instances: machines that a client launches, and the types they come in."""

import base64
import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from runcrate_emulator.bodies import Body, parse_body, read_body, read_object, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit, machines
from runcrate_emulator.infrastructure.catalogue import INSTANCE_TYPES, InstanceType
from runcrate_emulator.infrastructure.launches import (
    IdleShutdown,
    MaxRuntime,
    launch_instance,
    parse_launch,
)
from runcrate_emulator.infrastructure.machines import Machine
from runcrate_emulator.infrastructure.ssh_keys import PublicKey
from runcrate_emulator.infrastructure.wire import (
    CREATED,
    fields,
    find,
    in_scope,
    iso,
    many,
    nothing,
    one,
    query_integer,
    scope,
    search_matches,
    usd,
    world_of,
)

_SSH_PORT = 22
_MAX_GPUS = 1024  # more than any machine has; only bounds the query parameter


class _Limits(Body):
    """The two automatic stops; null switches one off."""

    max_runtime_minutes: MaxRuntime | None = None
    idle_shutdown_minutes: IdleShutdown | None = None


class _Certified(Body):
    public_key: PublicKey


async def list_types(request: Request) -> Response:
    """GET /instances/types: the whole catalogue, whatever the stock."""
    query = request.query_params
    gpu_type, region = query.get("gpu_type"), query.get("region")
    gpu_count = query_integer(request, "gpu_count", 0, 1, _MAX_GPUS)
    return many(
        _type_view(kind)
        for kind in INSTANCE_TYPES
        if (not gpu_type or kind.is_called(gpu_type))
        and (not region or kind.region.answers_to(region))
        and gpu_count in (0, kind.gpu_count)
    )


async def list_instances(request: Request) -> Response:
    """GET /instances, newest first; stopped ones stay visible with their `stop_reason`."""
    world = world_of(request)
    return many(
        view(machine, world.moment)
        for machine in in_scope(request, world.machines)
        if search_matches(request, machine.name, machine.id)
    )


async def create_instance(request: Request) -> Response:
    """POST /instances. Not deduplicated: an `Idempotency-Key` has no effect."""
    world = world_of(request)
    environment = scope(request)
    spec = parse_launch(await read_object(request))
    await world.take_launch_time()
    machine = launch_instance(world, environment, spec, world.moment)
    return one(view(machine, world.moment), CREATED)


async def get_instance(request: Request) -> Response:
    """GET /instances/{id}."""
    world = world_of(request)
    return one(view(find(request, world_of(request).machines, "instance"), world.moment))


async def get_status(request: Request) -> Response:
    """GET /instances/{id}/status."""
    world = world_of(request)
    machine = find(request, world_of(request).machines, "instance")
    status = machines.status_at(machine, world.moment)
    return one({"id": machine.id, "status": status, "ip": _address(machine, world.moment)})


async def update_instance(request: Request) -> Response:
    """PATCH /instances/{id or unique name}: change or switch off the two automatic stops."""
    world = world_of(request)
    machine = _find_by_id_or_name(request)
    sent = await read_object(request)
    limits = parse_body(_Limits, sent)
    if not sent:
        refuse("max_runtime_minutes", "or `idle_shutdown_minutes` is required")
    if not machine.is_live:
        raise _conflict(machine, "is not live")
    if limits.idle_shutdown_minutes is not None and not machine.has_gpu:
        raise _conflict(machine, "has no GPU, so it cannot be stopped for being idle")
    soonest = world.moment + machines.SOONEST_STOP
    changed = replace(machine, updated_at=world.moment)
    if "max_runtime_minutes" in sent:
        minutes = limits.max_runtime_minutes
        changed = replace(changed, max_runtime_minutes=minutes, runtime_not_before=soonest)
    if "idle_shutdown_minutes" in sent:
        minutes = limits.idle_shutdown_minutes
        changed = replace(changed, idle_shutdown_minutes=minutes, idle_not_before=soonest)
    world.keep_machine(changed)
    return one(view(changed, world.moment))


async def terminate_instance(request: Request) -> Response:
    """DELETE /instances/{id}; deleting what has stopped already changes nothing."""
    world = world_of(request)
    machine = find(request, world_of(request).machines, "instance")
    if machine.is_live:
        credit.stop_machine(world, machine, world.moment, "user")
    return nothing()


async def issue_certificate(request: Request) -> Response:
    """POST /instances/{id}/ssh-certificate, as the CLI uses it; counts as a connection."""
    world = world_of(request)
    machine = find(request, world_of(request).machines, "instance")
    public_key = (await read_body(request, _Certified)).public_key
    if machines.status_at(machine, world.moment) != "running":
        raise _conflict(machine, "is not running")
    world.keep_machine(replace(machine, active_at=world.moment))
    if world.ssh is None:
        kind, material = public_key.split()[:2]
        stamp = hashlib.sha256(f"{machine.id} {material}".encode()).digest()
        certificate = f"{kind}-cert-v01@openssh.com {base64.b64encode(stamp).decode()} emulated"
    else:
        try:
            certificate = world.ssh.sign(machine.id, public_key)
        except ValueError:
            refuse("public_key", "is not an SSH public key", 422)
    port = machine.ssh_port or _SSH_PORT
    return one({"certificate": certificate, "ip": machine.ip, "user": "root", "port": port})


def view(machine: Machine, now: datetime) -> dict[str, Any]:
    """An instance as the API shows it."""
    kind = machine.type
    status = machines.status_at(machine, now)
    return {
        **fields(machine, "id name os_image created_at updated_at stop_reason"),
        **fields(machine, "max_runtime_minutes idle_shutdown_minutes"),
        **fields(kind, "gpu_type gpu_count cpu_cores"),
        "status": status,
        "memory": kind.memory_gb,
        "storage": kind.storage_gb,
        "region": kind.region.id,
        "ip": _address(machine, now),
        "cost_per_hour": usd(kind.hourly_rate),
        "deployed_at": iso(machine.runs_from) if _has_run(machine, now) else None,
        "auto_stop_at": iso(machines.auto_stop_at(machine, now)),
        **({} if machine.ssh_port is None else {"ssh_port": machine.ssh_port}),
    }


def _has_run(machine: Machine, now: datetime) -> bool:
    return (machine.stopped_at or now) >= machine.runs_from


def _address(machine: Machine, now: datetime) -> str | None:
    return machine.ip if machines.status_at(machine, now) == "running" else None


def _type_view(kind: InstanceType) -> dict[str, Any]:
    names = "id gpu_type gpu_count cpu_cores memory_gb storage_gb deployment_type hourly_rate"
    return fields(kind, names) | {"region": kind.region.id}


def _find_by_id_or_name(request: Request) -> Machine:
    world = world_of(request)
    identifier: str = request.path_params["id"]
    named = [m for m in in_scope(request, world.live_machines) if m.name == identifier]
    if identifier in world.machines or not named:
        return find(request, world_of(request).machines, "instance")
    if len(named) > 1:
        raise ApiError(
            409,
            "conflict",
            f"{len(named)} live instances are called `{identifier}`; nothing was changed. "
            "Name one by its id.",
        )
    return named[0]


def _conflict(machine: Machine, problem: str) -> ApiError:
    return ApiError(409, "conflict", f"Instance `{machine.id}` {problem}; nothing was changed.")


routes = [
    Route("/instances", list_instances, methods=["GET"]),
    Route("/instances", create_instance, methods=["POST"]),
    Route("/instances/types", list_types, methods=["GET"]),
    Route("/instances/{id}", get_instance, methods=["GET"]),
    Route("/instances/{id}", update_instance, methods=["PATCH"]),
    Route("/instances/{id}", terminate_instance, methods=["DELETE"]),
    Route("/instances/{id}/status", get_status, methods=["GET"]),
    Route("/instances/{id}/ssh-certificate", issue_certificate, methods=["POST"]),
]
