"""Instances: launch, list, read, change, terminate; the types they come in."""

import base64
import hashlib
import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from runcrate_emulator.bodies import (
    OUT_OF_RANGE,
    Body,
    Name,
    Text,
    must,
    parse_body,
    read_object,
    refuse,
)
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure import credit, instance_life
from runcrate_emulator.infrastructure.catalogue import CPU, INSTANCE_TYPES, InstanceType
from runcrate_emulator.infrastructure.endpoints import Call, Endpoints
from runcrate_emulator.infrastructure.instance_life import Instance
from runcrate_emulator.infrastructure.records import Environment, Volume
from runcrate_emulator.infrastructure.ssh_keys import PublicKey
from runcrate_emulator.infrastructure.templates import TEMPLATES
from runcrate_emulator.infrastructure.wire import CREATED, Result, conflict, fields
from runcrate_emulator.world import World

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEFAULT_IMAGE = "ubuntu-cuda-devel"

MaxRuntime = Annotated[int, Field(ge=5, le=10_080)]  # minutes (official SDK 0.5.0)
IdleShutdown = Annotated[int, Field(ge=5, le=1_440)]  # minutes (official SDK 0.5.0)


def _as_object(value: object) -> object:
    """Accept a list of `{key, value}` too (OpenAPI page, CLI) beside an object (official SDK)."""
    if isinstance(value, list) and all(
        isinstance(item, dict) and item.keys() == {"key", "value"} and isinstance(item["key"], str)
        for item in value
    ):
        return {item["key"]: item["value"] for item in value}
    return value


EnvironmentVariables = Annotated[
    dict[str, str],
    must(
        lambda pairs: all(map(_VARIABLE_NAME.fullmatch, pairs)),
        "has a name that no environment variable can have",
    ),
]
TemplateId = Annotated[Text, must(TEMPLATES.__contains__, "is not a template; list them")]


class Wanted(Body):
    """The instance type that is requested; None means any."""

    gpu_type: Text | None = None
    instance_type_id: Text | None = None
    region: Text | None = None
    gpu_count: int | None = Field(None, ge=1)
    cpu_cores: int | None = Field(None, ge=1)
    memory: int | None = Field(None, ge=1)
    storage: int | None = Field(None, ge=1)


class LaunchSpec(Wanted):
    """Create body of an instance."""

    name: Name
    ssh_key_id: Text | None = None
    template: TemplateId | None = None
    storage_id: Text | None = None
    max_runtime_minutes: MaxRuntime | None = None
    idle_shutdown_minutes: IdleShutdown | None = None
    env_vars: Annotated[EnvironmentVariables, BeforeValidator(_as_object)] = Field({}, repr=False)
    startup_commands: list[str] = Field([])
    launch_script: Text | None = None
    launch_script_base64: Text | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "LaunchSpec":
        if self.gpu_type is None and self.instance_type_id is None:
            refuse("gpu_type", "or `instance_type_id` is required")
        if self.launch_script_base64 is not None:
            if self.launch_script is not None:
                refuse("launch_script_base64", "cannot be given together with `launch_script`", 422)
            try:
                base64.b64decode(self.launch_script_base64, validate=True).decode()
            except ValueError:
                refuse("launch_script_base64", "must be base64 of UTF-8 text", 422)
        return self


def launch_instance(world: World, environment: Environment, spec: LaunchSpec) -> Instance:
    """Launch an instance; a refusal (402, 422, 502 or 503) has created nothing."""
    credit.require_credit(world, environment, "launched")
    if spec.ssh_key_id is not None and spec.ssh_key_id not in world.ssh_keys:
        refuse("ssh_key_id", f"`{spec.ssh_key_id}` is not a key of this workspace", OUT_OF_RANGE)
    if spec.storage_id is not None:
        volume_of(world, environment, spec.storage_id)
        if world.instance_with_volume(spec.storage_id) is not None:
            raise conflict(f"Volume `{spec.storage_id}` is attached to another instance.")
    kind = choose_type(world, spec)
    if spec.idle_shutdown_minutes is not None and kind.gpu_type == CPU:
        refuse("idle_shutdown_minutes", "needs an instance with a GPU", OUT_OF_RANGE)
    copied = "name template storage_id ssh_key_id max_runtime_minutes idle_shutdown_minutes"
    instance = start_instance(world, environment, kind, **fields(spec, copied))
    if spec.ssh_key_id is not None:
        world.ssh_keys[spec.ssh_key_id].last_used = world.moment
    return instance


def start_instance(
    world: World,
    environment: Environment,
    kind: InstanceType,
    *,
    template: str | None,
    storage_id: str | None,
    **chosen: Any,
) -> Instance:
    """Create an instance of a chosen type; 502 when its volume cannot be reached from there."""
    if storage_id is not None and world.volumes[storage_id].region != kind.region.id:
        raise ApiError(
            502,
            "launch_refused",
            f"Volume `{storage_id}` is not in region `{kind.region.id}`; nothing was launched, and "
            "the same request will be refused again. Name the volume's region.",
        )
    now = world.moment
    instance = Instance(
        id=world.new_id(),
        environment_id=environment.id,
        type=kind,
        ip=f"203.0.113.{len(world.instances) % 254 + 1}",  # a range reserved for documentation
        os_image=template or _DEFAULT_IMAGE,
        storage_id=storage_id,
        created_at=now,
        updated_at=now,
        usage_from=now,
        active_at=now,
        **chosen,
    )
    world.add_instance(instance)
    return instance


def volume_of(world: World, environment: Environment, storage_id: str) -> Volume:
    """The volume that a launch names; 422 when it is not one of the environment."""
    volume = world.volumes.get(storage_id)
    if volume is None or volume.environment_id != environment.id:
        refuse("storage_id", f"`{storage_id}` is not a volume of this environment", OUT_OF_RANGE)
    return volume


def choose_type(world: World, wanted: Wanted) -> InstanceType:
    """Choose the cheapest type that fits and is in stock; 422 if none fits, else 503."""
    fitting = types_that_fit(wanted)
    if not fitting:
        field = "gpu_type" if wanted.instance_type_id is None else "instance_type_id"
        refuse(
            field, "matches no instance type with the other fields; list the types", OUT_OF_RANGE
        )
    in_stock = [kind for kind in fitting if not world.sold_out & {kind.gpu_type, kind.id}]
    if not in_stock:
        raise ApiError(
            503,
            "no_capacity",
            f"No {fitting[0].gpu_type} is available now; nothing was created. "
            "Try again later or take another type.",
        )
    return min(in_stock, key=lambda kind: kind.hourly_rate)


def types_that_fit(wanted: Wanted) -> list[InstanceType]:
    """The instance types that have what is wanted, in stock or not."""
    count = None if (wanted.gpu_type or "").upper() == CPU else wanted.gpu_count
    return [
        kind
        for kind in INSTANCE_TYPES
        if (wanted.gpu_type is None or kind.is_called(wanted.gpu_type))
        and wanted.instance_type_id in (None, kind.id)
        and (wanted.region is None or kind.region.answers_to(wanted.region))
        and count in (None, kind.gpu_count)
        and (wanted.cpu_cores or 0) <= kind.cpu_cores
        and (wanted.memory or 0) <= kind.memory_gb
        and (wanted.storage or 0) <= kind.storage_gb
    ]


_SSH_PORT = 22


_TYPE_FIELDS = "id gpu_type gpu_count cpu_cores memory_gb storage_gb deployment_type hourly_rate"


class _Limits(Body):
    """The two automatic stops; null switches one off."""

    max_runtime_minutes: MaxRuntime | None = None
    idle_shutdown_minutes: IdleShutdown | None = None


class _Certified(Body):
    public_key: PublicKey


routes = Endpoints()


@routes.add("GET /instances/types")
async def _list_types(call: Call) -> Result:
    """The whole catalogue, whatever the stock."""
    query = call.query
    wanted = Wanted.model_construct(  # unchecked: a filter that matches nothing is not an error
        gpu_type=query.get("gpu_type") or None,
        region=query.get("region") or None,
        gpu_count=call.integer("gpu_count", 0, 1) or None,
    )
    return [
        fields(kind, _TYPE_FIELDS) | {"region": kind.region.id} for kind in types_that_fit(wanted)
    ]


routes.read(  # newest first; stopped ones stay visible with their `stop_reason`
    "/instances",
    lambda call: [
        view(i, call.world.moment) for i in call.in_scope(call.world.instances, "name", "id")
    ],
)


@routes.add("POST /instances", CREATED)
async def _create_instance(call: Call) -> Result:
    """Not deduplicated: an `Idempotency-Key` has no effect."""
    world = call.world
    environment = call.environment
    spec = await call.read(LaunchSpec)
    instance = launch_instance(world, environment, spec)
    return view(instance, world.moment)


routes.read(
    "/instances/{id}",
    lambda call: view(call.find(call.world.instances, "instance"), call.world.moment),
)


@routes.add("GET /instances/{id}/status")
async def _get_status(call: Call) -> Result:
    whole = view(call.find(call.world.instances, "instance"), call.world.moment)
    return {name: whole[name] for name in ("id", "status", "ip")}


@routes.add("PATCH /instances/{id}")
async def _update_instance(call: Call) -> Result:
    """Change or switch off the two automatic stops; the id may be a unique name."""
    world = call.world
    instance = _find_by_id_or_name(call)
    sent = await read_object(call.request)
    limits = parse_body(_Limits, sent)
    if not sent:
        refuse("max_runtime_minutes", "or `idle_shutdown_minutes` is required")
    if not instance.is_live:
        raise _conflict(instance, "is not live")
    if limits.idle_shutdown_minutes is not None and not instance.has_gpu:
        raise _conflict(instance, "has no GPU, so it cannot be stopped for being idle")
    soonest = world.moment + instance_life.SOONEST_STOP
    instance.updated_at = world.moment
    if "max_runtime_minutes" in sent:
        instance.max_runtime_minutes = limits.max_runtime_minutes
        instance.runtime_not_before = soonest
    if "idle_shutdown_minutes" in sent:
        instance.idle_shutdown_minutes = limits.idle_shutdown_minutes
        instance.idle_not_before = soonest
    return view(instance, world.moment)


@routes.add("DELETE /instances/{id}")
async def _terminate_instance(call: Call) -> Result:
    """Deleting what has stopped already changes nothing."""
    instance = call.find(call.world.instances, "instance")
    if instance.is_live:
        credit.stop_instance(call.world, instance, "user")
    return None


@routes.add("POST /instances/{id}/ssh-certificate")
async def _issue_certificate(call: Call) -> Result:
    """As the CLI uses it; counts as a connection."""
    world = call.world
    instance = call.find(world.instances, "instance")
    public_key = (await call.read(_Certified)).public_key
    if instance_life.status_at(instance, world.moment) != "running":
        raise _conflict(instance, "is not running")
    instance.active_at = world.moment
    if world.ssh is None:
        kind, material = public_key.split()[:2]
        stamp = hashlib.sha256(f"{instance.id} {material}".encode()).digest()
        certificate = f"{kind}-cert-v01@openssh.com {base64.b64encode(stamp).decode()} emulated"
    else:
        try:
            certificate = world.ssh.sign(instance.id, public_key)
        except ValueError:
            refuse("public_key", "is not an SSH public key", 422)
    port = instance.ssh_port or _SSH_PORT
    return {"certificate": certificate, "ip": instance.ip, "user": "root", "port": port}


def view(instance: Instance, now: datetime) -> dict[str, Any]:
    """An instance as the API shows it."""
    kind = instance.type
    status = instance_life.status_at(instance, now)
    has_run = (instance.stopped_at or now) >= instance.runs_from
    return {
        **fields(instance, "id name os_image created_at updated_at stop_reason"),
        **fields(instance, "max_runtime_minutes idle_shutdown_minutes"),
        **fields(kind, "gpu_type gpu_count cpu_cores"),
        "status": status,
        "memory": kind.memory_gb,
        "storage": kind.storage_gb,
        "region": kind.region.id,
        "ip": instance.ip if status == "running" else None,
        "cost_per_hour": kind.hourly_rate,
        "deployed_at": instance.runs_from if has_run else None,
        "auto_stop_at": instance_life.auto_stop_at(instance, now),
        **({} if instance.ssh_port is None else {"ssh_port": instance.ssh_port}),
    }


def _find_by_id_or_name(call: Call) -> Instance:
    world, identifier = call.world, call.id
    named = [m for m in call.in_scope(world.live_instances) if m.name == identifier]
    if identifier in world.instances or not named:
        return call.find(world.instances, "instance")
    if len(named) > 1:
        raise conflict(
            f"{len(named)} live instances are named `{identifier}`; nothing was done. "
            "Name one by its id.",
        )
    return named[0]


def _conflict(instance: Instance, problem: str) -> ApiError:
    return conflict(f"Instance `{instance.id}` {problem}; nothing was changed.")
