"""Environments: the containers inside a workspace that instances, volumes and jobs live in.

Facts: seed 003 and the official SDK 0.5.0.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_empty, parse_item, parse_list
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.json_body import UNCHANGED, Unchanged, changes
from runcrate_core.protocol.reconcile import Creation, by_name, create_once
from runcrate_core.protocol.request import Request, RetrySafety, infrastructure_request
from runcrate_core.protocol.steps import Call, Flow


class Environment(ApiModel):
    """An environment. Its budget can be read here and is set on the dashboard.

    Attributes:
        name: What `Runcrate(environment=...)` takes.
        is_default: Whether calls without an environment are aimed at it.
        monthly_budget_usd: Most USD in a calendar month (UTC); `None` for no cap. When it is
            spent, launches fail with 402 and what runs is stopped.
        month_to_date_usd: USD spent in this month, for GPUs and inference.
        budget_remaining_usd: USD left of the budget; `None` for no cap.
        recovered: Whether the response to its creation was lost and it was found by its name.
    """

    id: str
    name: str = ""
    is_default: bool | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None
    monthly_budget_usd: Decimal | None = None
    month_to_date_usd: Decimal | None = None
    budget_remaining_usd: Decimal | None = None
    recovered: bool = False


def _about(method: str, environment_id: str, **options: Any) -> Request:
    return infrastructure_request(
        method,
        "/environments/{environment_id}",
        RetrySafety.SAFE,
        identifiers={"environment_id": environment_id},
        **options,
    )


def list_environments() -> Call[list[Environment]]:
    """List the environments of the workspace.

    Returns:
        All of them; the API does not page them.

    Example:
        ```python
        for environment in client.environments.list():
            print(environment.name, environment.month_to_date_usd)
        ```
    """
    request = infrastructure_request("GET", "/environments", RetrySafety.SAFE)
    return Call(request, parse_list(Environment, request))


def get(environment_id: str) -> Call[Environment]:
    """Return an environment with its budget.

    Args:
        environment_id: Identifier (not the name).

    Raises:
        ValueError: `environment_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier.

    Example:
        ```python
        environment = client.environments.get(environment.id)
        print(environment.budget_remaining_usd)  # None without a cap
        ```
    """
    request = _about("GET", environment_id)
    return Call(request, parse_item(Environment, request))


def create(*, name: str) -> Flow[Environment]:
    """Create an environment.

    Args:
        name: Name; a client is aimed at it with `with_options(environment=name)`.

    Returns:
        The environment.

    Raises:
        ConflictError: There is one of this name; nothing was made.

    Example:
        ```python
        client.environments.create(name="staging")
        staging = client.with_options(environment="staging")
        print(staging.instances.list())  # only those of this environment
        ```
    """
    request = infrastructure_request(
        "POST", "/environments", RetrySafety.NEVER, body={"name": name}
    )
    creation = Creation(
        label="environment",
        name=name,
        look_up="environments.list()",
        find=by_name(name, list_environments),
        is_paid=False,
    )
    return create_once(Call(request, parse_item(Environment, request)), creation)


def update(
    environment_id: str,
    *,
    name: str | Unchanged = UNCHANGED,
    is_default: bool | Unchanged = UNCHANGED,
) -> Call[Environment]:
    """Rename an environment, or make it the default one.

    Args:
        environment_id: Identifier.
        name: New name. Clients that name the environment must then use it.
        is_default: `True` to make it the default one.

    Returns:
        The environment as it is now.

    Raises:
        ValueError: Nothing to change, or `environment_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier.
        ConflictError: The name is taken.

    Example:
        ```python
        client.environments.update(environment.id, name="production")
        ```
    """
    request = _about("PATCH", environment_id, body=changes(name=name, is_default=is_default))
    return Call(request, parse_item(Environment, request))


def delete(environment_id: str) -> Call[None]:
    """Delete an environment.

    Args:
        environment_id: Identifier.

    Raises:
        ValueError: `environment_id` is not an identifier; nothing was sent.
        ConflictError: It is the default one, or in use; nothing was deleted.
        NotFoundError: There is none with this identifier.

    Example:
        ```python
        client.environments.delete(environment.id)
        ```
    """
    request = _about("DELETE", environment_id)
    return Call(request, parse_empty(request))


class Environments(SyncResource):
    """`client.environments`."""

    list = endpoint(list_environments)
    get = endpoint(get)
    create = endpoint(create)
    update = endpoint(update)
    delete = endpoint(delete)


class AsyncEnvironments(AsyncResource):
    """`client.environments` of the asynchronous client."""

    list = async_endpoint(list_environments)
    get = async_endpoint(get)
    create = async_endpoint(create)
    update = async_endpoint(update)
    delete = async_endpoint(delete)
