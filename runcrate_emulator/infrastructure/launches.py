"""Launching a machine: reading the create body, choosing the type, and saying no.

Used by `POST /instances`, by jobs (whose machine is launched the same way) and by schedules.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runcrate_emulator.bodies import Fields
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure.catalogue import CPU, INSTANCE_TYPES, InstanceType
from runcrate_emulator.infrastructure.credit import require_launch_credit
from runcrate_emulator.infrastructure.machines import Machine
from runcrate_emulator.infrastructure.records import Environment
from runcrate_emulator.infrastructure.template_list import TEMPLATES
from runcrate_emulator.workspace import Workspace

LONGEST_NAME = 64  # characters; the longest that was seen
MAX_RUNTIME_MINUTES = (5, 10_080)  # official SDK 0.5.0
IDLE_SHUTDOWN_MINUTES = (5, 1_440)  # official SDK 0.5.0
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEFAULT_IMAGE = "ubuntu-cuda-devel"


@dataclass(frozen=True)
class Wanted:
    """Which machine is asked for; None means any."""

    gpu_type: str | None = None
    instance_type_id: str | None = None
    region: str | None = None
    gpu_count: int | None = None
    cpu_cores: int | None = None
    memory_gb: int | None = None
    storage_gb: int | None = None


@dataclass(frozen=True)
class LaunchSpec:
    """A validated create body of an instance."""

    name: str
    wanted: Wanted
    ssh_key_id: str | None
    template: str | None
    storage_id: str | None
    max_runtime_minutes: int | None
    idle_shutdown_minutes: int | None


def parse_launch(body: Mapping[str, Any]) -> LaunchSpec:
    """Check a create body, as far as that is possible without looking at the workspace.

    Raises:
        ApiError: 400 or 422 `validation_error`.
    """
    fields = Fields(body)
    wanted = Wanted(
        gpu_type=fields.text("gpu_type"),
        instance_type_id=fields.text("instance_type_id"),
        region=fields.text("region"),
        gpu_count=fields.integer("gpu_count", 1),
        cpu_cores=fields.integer("cpu_cores", 1),
        memory_gb=fields.integer("memory", 1),
        storage_gb=fields.integer("storage", 1),
    )
    if wanted.gpu_type is None and wanted.instance_type_id is None:
        fields.bad_shape("gpu_type", "or `instance_type_id` is required")
    spec = LaunchSpec(
        name=fields.required("name", fields.text("name", longest=LONGEST_NAME)),
        wanted=wanted,
        ssh_key_id=fields.text("ssh_key_id"),
        template=fields.text("template"),
        storage_id=fields.text("storage_id"),
        max_runtime_minutes=fields.integer("max_runtime_minutes", *MAX_RUNTIME_MINUTES),
        idle_shutdown_minutes=fields.integer("idle_shutdown_minutes", *IDLE_SHUTDOWN_MINUTES),
    )
    _check_env_vars(fields)
    _check_scripts(fields)
    fields.finish()
    return spec


def _check_env_vars(fields: Fields) -> None:
    """Accept both documented forms: an object (official SDK) and a list (OpenAPI page, CLI)."""
    value = fields.raw("env_vars")
    pairs: Mapping[str, Any]
    if value is None:
        return
    if isinstance(value, dict):
        pairs = value
    elif isinstance(value, list) and all(
        isinstance(item, dict) and item.keys() == {"key", "value"} and isinstance(item["key"], str)
        for item in value
    ):
        pairs = {item["key"]: item["value"] for item in value}
    else:
        fields.bad_shape("env_vars", "must be an object of strings or a list of {key, value}")
    if not all(isinstance(text, str) for text in pairs.values()):
        fields.bad_shape("env_vars", "must have strings as values")
    check_variable_names(fields, "env_vars", pairs)


def check_variable_names(fields: Fields, field: str, pairs: Mapping[str, Any]) -> None:
    """Refuse what no shell takes as the name of an environment variable."""
    for name in pairs:
        if not _VARIABLE_NAME.fullmatch(name):
            fields.bad_value(field, f"has a name that is no environment variable: {name!r}")


def _check_scripts(fields: Fields) -> None:
    fields.texts("startup_commands")
    encoded = fields.text("launch_script_base64")
    if fields.text("launch_script") is not None and encoded is not None:
        fields.bad_value("launch_script_base64", "cannot be given beside `launch_script`")
    if encoded is not None:
        try:
            base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, ValueError):
            fields.bad_value("launch_script_base64", "must be base64 of UTF-8 text")


def launch_instance(
    world: Workspace, environment: Environment, spec: LaunchSpec, at: datetime
) -> Machine:
    """Launch an instance.

    Raises:
        ApiError: 402, 422, 502 `launch_refused` or 503; nothing was created.
    """
    require_launch_credit(world, environment, at)
    if spec.template is not None and spec.template not in TEMPLATES:
        raise _bad_field("template", f"`{spec.template}` is not a template")
    if spec.ssh_key_id is not None and spec.ssh_key_id not in world.ssh_keys:
        raise _bad_field("ssh_key_id", f"`{spec.ssh_key_id}` is not a key of this workspace")
    check_volume(world, environment, spec.storage_id)
    kind = choose_type(world, spec.wanted)
    if spec.idle_shutdown_minutes is not None and kind.gpu_type == CPU:
        raise _bad_field("idle_shutdown_minutes", "needs a machine with a GPU")
    machine = start_machine(
        world,
        environment,
        name=spec.name,
        kind=kind,
        at=at,
        template=spec.template,
        storage_id=spec.storage_id,
        ssh_key_id=spec.ssh_key_id,
    )
    machine = replace(
        machine,
        max_runtime_minutes=spec.max_runtime_minutes,
        idle_shutdown_minutes=spec.idle_shutdown_minutes,
    )
    world.keep_machine(machine)
    if spec.ssh_key_id is not None:
        key = world.ssh_keys[spec.ssh_key_id]
        world.ssh_keys[key.id] = replace(key, last_used=at)
    return machine


def start_machine(
    world: Workspace,
    environment: Environment,
    *,
    name: str,
    kind: InstanceType,
    at: datetime,
    template: str | None,
    storage_id: str | None,
    ssh_key_id: str | None = None,
    job_id: str | None = None,
) -> Machine:
    """Create a machine of a chosen type.

    Raises:
        ApiError: 502 `launch_refused` when the volume cannot be reached from there.
    """
    if storage_id is not None and world.volumes[storage_id].region != kind.region.id:
        raise ApiError(
            502,
            "launch_refused",
            f"Volume `{storage_id}` is not in region `{kind.region.id}`; nothing was launched, and "
            "the same request will be refused again. Name the volume's region.",
        )
    machine = Machine(
        id=world.new_id(),
        name=name,
        environment_id=environment.id,
        type=kind,
        ip=world.new_address(),
        os_image=template or _DEFAULT_IMAGE,
        created_at=at,
        updated_at=at,
        usage_from=at,
        active_at=at,
        storage_id=storage_id,
        ssh_key_id=ssh_key_id,
        job_id=job_id,
    )
    return world.keep_machine(machine)


def check_volume(world: Workspace, environment: Environment, storage_id: str | None) -> None:
    """Refuse a volume that does not exist here, cannot be reached, or is attached already.

    Raises:
        ApiError: 422 or 409.
    """
    if storage_id is None:
        return
    volume = world.volumes.get(storage_id)
    if volume is None or volume.environment_id != environment.id:
        raise _bad_field("storage_id", f"`{storage_id}` is not a volume of this environment")
    if volume.is_suspended:
        raise ApiError(409, "conflict", f"Volume `{storage_id}` is not paid; top the balance up.")
    if world.machine_with_volume(storage_id) is not None:
        raise ApiError(409, "conflict", f"Volume `{storage_id}` is attached to another machine.")


def choose_type(world: Workspace, wanted: Wanted) -> InstanceType:
    """Choose the cheapest type that fits and is in stock.

    Raises:
        ApiError: 422 when no such machine is offered at all, 503 when it is out of stock.
    """
    fitting = [kind for kind in INSTANCE_TYPES if _fits(kind, wanted)]
    if not fitting:
        field = "gpu_type" if wanted.instance_type_id is None else "instance_type_id"
        raise _bad_field(field, "and the other wishes fit no instance type; list the types")
    in_stock = [kind for kind in fitting if world.has_stock(kind)]
    if not in_stock:
        raise ApiError(
            503,
            "no_capacity",
            f"No {fitting[0].gpu_type} is available now; nothing was created. "
            "Try again later or take another type.",
        )
    return min(in_stock, key=lambda kind: kind.hourly_rate)


def _fits(kind: InstanceType, wanted: Wanted) -> bool:
    return (
        (wanted.gpu_type is None or kind.is_called(wanted.gpu_type))
        and wanted.instance_type_id in (None, kind.id)
        and (wanted.region is None or kind.region.answers_to(wanted.region))
        and wanted.gpu_count in (None, kind.gpu_count)
        and (wanted.cpu_cores or 0) <= kind.cpu_cores
        and (wanted.memory_gb or 0) <= kind.memory_gb
        and (wanted.storage_gb or 0) <= kind.storage_gb
    )


def _bad_field(field: str, problem: str) -> ApiError:
    return ApiError(
        422,
        "validation_error",
        f"`{field}` {problem}; nothing was launched.",
        details={"field": field},
    )
