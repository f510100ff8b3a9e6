"""Launching a machine: reading the create body, choosing the type, and saying no.

Used by `POST /instances`, by jobs (whose machine is launched the same way) and by schedules.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from runcrate_emulator.bodies import Body, Name, Text, parse_body, refuse
from runcrate_emulator.errors import ApiError
from runcrate_emulator.infrastructure.catalogue import CPU, INSTANCE_TYPES, InstanceType
from runcrate_emulator.infrastructure.credit import require_launch_credit
from runcrate_emulator.infrastructure.machines import Machine
from runcrate_emulator.infrastructure.records import Environment
from runcrate_emulator.infrastructure.templates import TEMPLATES
from runcrate_emulator.workspace import Workspace

_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEFAULT_IMAGE = "ubuntu-cuda-devel"

MaxRuntime = Annotated[int, Field(ge=5, le=10_080)]  # minutes (official SDK 0.5.0)
IdleShutdown = Annotated[int, Field(ge=5, le=1_440)]  # minutes (official SDK 0.5.0)


def _variable_names(pairs: dict[str, str]) -> dict[str, str]:
    for name in pairs:
        if not _VARIABLE_NAME.fullmatch(name):
            raise ValueError(f"has a name that no environment variable can have: {name!r}")
    return pairs


def _as_object(value: object) -> object:
    """Accept a list of `{key, value}` too (OpenAPI page, CLI) beside an object (official SDK)."""
    if isinstance(value, list) and all(
        isinstance(item, dict) and item.keys() == {"key", "value"} and isinstance(item["key"], str)
        for item in value
    ):
        return {item["key"]: item["value"] for item in value}
    return value


def _known_template(name: str) -> str:
    if name not in TEMPLATES:
        raise ValueError(f"is not a template: {name!r}")
    return name


EnvironmentVariables = Annotated[dict[str, str], AfterValidator(_variable_names)]
TemplateId = Annotated[Text, AfterValidator(_known_template)]


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
                refuse("launch_script_base64", "cannot be given beside `launch_script`", 422)
            try:
                base64.b64decode(self.launch_script_base64, validate=True).decode()
            except ValueError:
                refuse("launch_script_base64", "must be base64 of UTF-8 text", 422)
        return self


def parse_launch(body: Mapping[str, Any]) -> LaunchSpec:
    """Check a create body, as far as that is possible without the workspace.

    Raises:
        ApiError: 400 or 422 `validation_error`.
    """
    return parse_body(LaunchSpec, body)


def launch_instance(
    world: Workspace, environment: Environment, spec: LaunchSpec, at: datetime
) -> Machine:
    """Launch an instance.

    Raises:
        ApiError: 402, 422, 502 `launch_refused` or 503; nothing was created.
    """
    require_launch_credit(world, environment, at)
    if spec.ssh_key_id is not None and spec.ssh_key_id not in world.ssh_keys:
        raise _bad_field("ssh_key_id", f"`{spec.ssh_key_id}` is not a key of this workspace")
    check_volume(world, environment, spec.storage_id)
    kind = choose_type(world, spec)
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
        and (wanted.memory or 0) <= kind.memory_gb
        and (wanted.storage or 0) <= kind.storage_gb
    )


def _bad_field(field: str, problem: str) -> ApiError:
    return ApiError(
        422,
        "validation_error",
        f"`{field}` {problem}; nothing was launched.",
        details={"field": field},
    )
