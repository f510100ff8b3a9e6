"""GPU instances: list, launch, watch, change and terminate.

Facts: seed 003, the official SDK 0.5.0 and the reference pages of the endpoints.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from runcrate_core.api.envelope import (
    Identifier,
    LenientModel,
    UtcDatetime,
    parse_empty,
    parse_item,
    parse_list,
)
from runcrate_core.api.instance_types import list_types
from runcrate_core.api.known_values import InstanceState, StopReason
from runcrate_core.api.lifetimes import checked_lifetime
from runcrate_core.api.resources import (
    AsyncResource,
    SyncResource,
    async_endpoint,
    async_shell_endpoint,
    endpoint,
    shell_endpoint,
)
from runcrate_core.api.ssh_keys import issue_certificate
from runcrate_core.errors import RuncrateError
from runcrate_core.protocol.json_body import (
    UNCHANGED,
    Unchanged,
    changes,
    refuse_misspelt,
    without_none,
)
from runcrate_core.protocol.polling import Progress, poll
from runcrate_core.protocol.reconcile import Creation, by_name, create_once, same
from runcrate_core.protocol.request import (
    ReadTimeout,
    Request,
    RetrySafety,
    infrastructure_request,
    new_idempotency_key,
)
from runcrate_core.protocol.steps import Call, Flow
from runcrate_core.ssh.settings import connect

RUNNING: Final = "running"
# `running`, `pending`, `provisioning`, `terminating`: states that are not an end.
_IN_PROGRESS_SUFFIX: Final = "ing"
# There is no published list of statuses; these are known to be ends.
TERMINAL_STATUSES: Final = frozenset({"terminated", "failed", "error", "deleted", "stopped"})
# An instance that ended so may still be there, with a disk that is charged elsewhere.
LINGERING_STATUSES: Final = frozenset({"error", "stopped"})


def has_terminated(status: str, stop_reason: str | None) -> bool:
    """Return whether an instance with this status has terminated and costs nothing more."""
    word = status.lower()
    if word in TERMINAL_STATUSES:
        return True
    return bool(stop_reason) and not word.endswith(_IN_PROGRESS_SUFFIX)


class Instance(LenientModel):
    """An instance.

    Attributes:
        status: Open text; seen are `creating`, `pending`, `provisioning`, `deploying`, `running`,
            `terminated` and `failed`.
        ip: Address for SSH (user `root`), once it runs.
        memory: Memory in GB.
        storage: Disk in GB.
        cost_per_hour: USD.
        auto_stop_at: When the server terminates it automatically.
        stop_reason: Why it ended: `user`, `max_runtime`, `idle`, `budget`, `low_balance`,
            `failed`, `system` or new; `None` while it runs.
        recovered: Whether the response to its launch was lost and it was found again by its name.
    """

    id: Identifier
    name: str = ""
    status: InstanceState = ""
    gpu_type: str | None = None
    gpu_count: int | None = None
    cpu_cores: int | None = None
    memory: int | float | None = None
    storage: int | float | None = None
    region: str | None = None
    ip: str | None = None
    os_image: str | None = None
    cost_per_hour: Decimal | None = None
    deployed_at: UtcDatetime | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None
    max_runtime_minutes: int | None = None
    idle_shutdown_minutes: int | None = None
    auto_stop_at: UtcDatetime | None = None
    stop_reason: StopReason | None = None
    recovered: bool = False

    @property
    def is_running(self) -> bool:
        """True if it can be reached."""
        return self.status.lower() == RUNNING

    @property
    def has_ended(self) -> bool:
        """True if it has terminated and costs nothing more.

        A status that is not known is an end when there is a `stop_reason`, unless it names
        something in progress (`terminating`).
        """
        return has_terminated(self.status, self.stop_reason)


class InstanceStatus(LenientModel):
    """The status of an instance, in short form.

    Attributes:
        stop_reason: Why it ended, if the service reports it here; see `Instance.stop_reason`.
    """

    id: Identifier
    status: InstanceState = ""
    ip: str | None = None
    stop_reason: StopReason | None = None

    @property
    def has_ended(self) -> bool:
        """True if it has terminated; see `Instance.has_ended`."""
        return has_terminated(self.status, self.stop_reason)


def _about(method: str, instance_id: str, rest: str = "", **options: Any) -> Request:
    return infrastructure_request(
        method,
        f"/instances/{{instance_id}}{rest}",
        RetrySafety.SAFE,
        identifiers={"instance_id": instance_id},
        **options,
    )


def list_instances(*, search: str | None = None) -> Call[list[Instance]]:
    """List the instances of the environment.

    Args:
        search: Only those whose name contains this.

    Example:
        ```python
        for instance in client.instances.list():
            print(instance.name, instance.status, instance.cost_per_hour)
        ```
    """
    request = infrastructure_request(
        "GET", "/instances", RetrySafety.SAFE, query={"search": search}
    )
    return Call(request, parse_list(Instance, request))


def get(instance_id: str) -> Call[Instance]:
    """Return an instance.

    Args:
        instance_id: Identifier.

    Raises:
        ValueError: `instance_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.

    Example:
        ```python
        print(client.instances.get(instance.id).auto_stop_at)
        ```
    """
    request = _about("GET", instance_id)
    return Call(request, parse_item(Instance, request))


def get_status(instance_id: str) -> Call[InstanceStatus]:
    """Return the status of an instance, with its IP address once it runs.

    Args:
        instance_id: Identifier.

    Raises:
        ValueError: `instance_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.

    Example:
        ```python
        status = client.instances.get_status(instance.id)
        print(f"Status: {status.status}, IP: {status.ip}")
        ```
    """
    request = _about("GET", instance_id, "/status")
    return Call(request, parse_item(InstanceStatus, request))


def create(
    *,
    name: str | None = None,
    gpu_type: str | None = None,
    instance_type_id: str | None = None,
    ssh_key_id: str | None = None,
    region: str | None = None,
    gpu_count: int | None = None,
    cpu_cores: int | None = None,
    memory: int | None = None,
    storage: int | None = None,
    template: str | None = None,
    env_vars: Mapping[str, str] | None = None,
    startup_commands: Sequence[str] | None = None,
    storage_id: str | None = None,
    launch_script: str | None = None,
    launch_script_base64: str | None = None,
    max_runtime_minutes: int | None = None,
    idle_shutdown_minutes: int | None = None,
    **extra: Any,
) -> Flow[Instance]:
    """Launch an instance. It is billed from when it runs until it is terminated.

    The request is never sent twice unless the first was certainly not acted on. When its response
    is lost, the instance is looked up by its name, so a name of its own is the best protection.
    A response that reports another lifetime than the requested one is warned of.

    Args:
        name: At most about 64 characters; a unique one is made when not given.
        gpu_type: Such as `A100`; the cheapest matching type is launched.
        instance_type_id: An instance type of `list_types`, instead of `gpu_type`.
        ssh_key_id: The SSH key that may log in.
        region: Anywhere when not given.
        gpu_count: How many GPUs.
        cpu_cores: How many processor cores.
        memory: Memory in GB.
        storage: Disk in GB.
        template: Template id, such as `ubuntu-cuda-devel`.
        env_vars: Environment variables.
        startup_commands: Run on the first start.
        storage_id: A volume to mount at `/workspace`.
        launch_script: A script to run on the first start.
        launch_script_base64: The same, encoded.
        max_runtime_minutes: 5 to 10080: the server ends the instance after running so long.
        idle_shutdown_minutes: 5 to 1440: the server ends it when its GPU and its users idle.
        extra: Any other field of the API.

    Returns:
        The instance, usually still `pending`; see `wait_until_running`.

    Raises:
        ValueError: Neither or both of `gpu_type` and `instance_type_id`, or a misspelt field;
            nothing was sent.
        InsufficientCreditsError: No credits, or the environment's budget is spent.
        InternalServerError: No capacity (503) or refused (`launch_refused`); nothing was made.
        AmbiguousLaunchError: The response was lost and no instance of this name was found.

    Example:
        ```python
        instance = client.instances.create(
            name="training-run", gpu_type="A100", max_runtime_minutes=60
        )
        ```
    """
    if (gpu_type is None) == (instance_type_id is None):
        raise ValueError("Give either `gpu_type` or `instance_type_id`. Nothing was sent.")
    refuse_misspelt(extra, LAUNCH_FIELDS)
    launched = launch(
        without_none(
            name=name or f"runcrate-{secrets.token_hex(8)}",
            gpu_type=gpu_type,
            instance_type_id=instance_type_id,
            ssh_key_id=ssh_key_id,
            region=region,
            gpu_count=gpu_count,
            cpu_cores=cpu_cores,
            memory=memory,
            storage=storage,
            template=template,
            env_vars=None if env_vars is None else dict(env_vars),
            startup_commands=startup_commands,
            storage_id=storage_id,
            launch_script=launch_script,
            launch_script_base64=launch_script_base64,
            max_runtime_minutes=max_runtime_minutes,
            idle_shutdown_minutes=idle_shutdown_minutes,
            **extra,
        ),
        has_unique_name=name is None,
    )
    return checked_lifetime(launched, max_runtime_minutes)


LAUNCH_FIELDS: Final = frozenset(inspect.signature(create).parameters) - {"extra"}


def launch(body: Mapping[str, Any], *, has_unique_name: bool) -> Flow[Instance]:
    """Launch an instance with a request body, and look it up when the response is lost.

    Args:
        body: The request body, with a `name`.
        has_unique_name: No other instance can have the name.

    Raises:
        AmbiguousLaunchError: The response was lost and no instance is certainly this one.
    """
    name = body["name"]
    request = infrastructure_request(
        "POST",
        "/instances",
        RetrySafety.NEVER,
        read_timeout=ReadTimeout.LAUNCH,
        idempotency_key=new_idempotency_key(),
        body=body,
    )

    def matches(item: Instance) -> bool:
        fields = ("gpu_count", "region", "max_runtime_minutes", "idle_shutdown_minutes")
        same_fields = all(same(body.get(field), getattr(item, field)) for field in fields)
        return same_fields and _may_be_gpu(body.get("gpu_type"), item.gpu_type)

    return create_once(
        Call(request, parse_item(Instance, request)),
        Creation(
            label="instance",
            name=name,
            look_up=f"instances.list(search={name!r})",
            find=by_name(
                name,
                lambda: list_instances(search=name),
                is_unique=has_unique_name,
                matches=matches,
            ),
        ),
    )


def _may_be_gpu(sent: str | None, received: str | None) -> bool:
    """Return whether a GPU (`A100-80GB`) can be the one that was sent (`a100`)."""
    if not (sent and received):
        return True
    ours, theirs = ("".join(filter(str.isalnum, name.casefold())) for name in (sent, received))
    return ours in theirs or theirs in ours


def update(
    instance_id: str,
    *,
    max_runtime_minutes: int | Unchanged | None = UNCHANGED,
    idle_shutdown_minutes: int | Unchanged | None = UNCHANGED,
) -> Flow[Instance]:
    """Change when the server terminates an instance; at the earliest in two minutes.

    A response that reports another lifetime than the requested one is warned of.

    Args:
        instance_id: Identifier, or a unique name.
        max_runtime_minutes: 5 to 10080, `None` for no limit.
        idle_shutdown_minutes: 5 to 1440, `None` for no idle stop.

    Raises:
        ValueError: Nothing to change; nothing was sent.
        ConflictError: It does not run, or has no GPU (idle stop).
        UnprocessableEntityError: Out of range.

    Example:
        ```python
        client.instances.update(instance.id, max_runtime_minutes=480, idle_shutdown_minutes=None)
        ```
    """
    fields = changes(
        max_runtime_minutes=max_runtime_minutes, idle_shutdown_minutes=idle_shutdown_minutes
    )
    return checked_lifetime(change(instance_id, fields), max_runtime_minutes)


def change(instance_id: str, fields: Mapping[str, Any]) -> Call[Instance]:
    """Change fields of an instance, by the body of the request."""
    request = _about("PATCH", instance_id, body=fields)
    return Call(request, parse_item(Instance, request))


def terminate(instance_id: str) -> Call[None]:
    """Terminate an instance, which ends its cost. Its disk is lost; volumes are kept.

    Calling it again is safe: when the response of an attempt was lost and the next finds nothing,
    it has worked.

    Args:
        instance_id: Identifier.

    Raises:
        ValueError: `instance_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.

    Example:
        ```python
        client.instances.terminate(instance.id)
        ```
    """
    request = _about("DELETE", instance_id)
    return Call(request, parse_empty(request))


def wait_until_running(
    instance_id: str,
    *,
    timeout: float | None = 900.0,
    poll_interval: float = 5.0,
    on_status: Callable[[InstanceStatus], Any] | None = None,
) -> Flow[Instance]:
    """Wait until an instance runs and has an IP address.

    Args:
        instance_id: Identifier.
        timeout: Most seconds to wait; `None` for as long as it takes.
        poll_interval: Seconds between two checks.
        on_status: Called with the status at first and at each change.

    Returns:
        The running instance.

    Raises:
        RuncrateError: It ended instead; it does not run and costs nothing.
        WaitTimeoutError: It does not run yet; it may still start and then costs money.

    Example:
        ```python
        instance = client.instances.wait_until_running(instance.id, on_status=print)
        ```
    """
    last = yield from poll(
        lambda: get_status(instance_id),
        is_done=lambda now: _is_reachable(now) or now.has_ended,
        progress=Progress(key=lambda now: now.status, on_change=on_status),
        timeout=timeout,
        interval=poll_interval,
        label=f"The instance `{instance_id}` does not run yet",
        next_step="It may still start and then costs money: wait again, or terminate it.",
    )
    if not _is_reachable(last):
        why = f" (`{last.stop_reason}`)" if last.stop_reason else ""
        raise RuncrateError(
            f"The instance `{instance_id}` ended with status `{last.status}`{why} before it ran. "
            "Check its `stop_reason`; launch another if it is still needed."
        )
    return (yield from get(instance_id))


def _is_reachable(status: InstanceStatus) -> bool:
    return status.status.lower() == RUNNING and bool(status.ip)


class Instances(SyncResource):
    """`client.instances`."""

    list = endpoint(list_instances)
    get = endpoint(get)
    get_status = endpoint(get_status)
    list_types = endpoint(list_types)
    create = endpoint(create)
    update = endpoint(update)
    terminate = endpoint(terminate)
    wait_until_running = endpoint(wait_until_running)
    issue_ssh_certificate = endpoint(issue_certificate)
    connect = shell_endpoint(connect)


class AsyncInstances(AsyncResource):
    """`client.instances` of the asynchronous client."""

    list = async_endpoint(list_instances)
    get = async_endpoint(get)
    get_status = async_endpoint(get_status)
    list_types = async_endpoint(list_types)
    create = async_endpoint(create)
    update = async_endpoint(update)
    terminate = async_endpoint(terminate)
    wait_until_running = async_endpoint(wait_until_running)
    issue_ssh_certificate = async_endpoint(issue_certificate)
    connect = async_shell_endpoint(connect)
