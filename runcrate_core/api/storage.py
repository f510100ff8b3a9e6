"""Storage: volumes that outlive instances, mounted at `/workspace`.

Facts: seed 003 and the official SDK 0.5.0. Volumes belong to an environment. The workspace's
provider (AWS S3, Wasabi or Backblaze B2) is configured on the dashboard. A volume costs
$0.03 per GB and month, charged a week in advance; deleting it refunds the unused days (seed 003).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_item, parse_list
from runcrate_core.api.known_values import VolumeStatus
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.reconcile import Creation, by_name, create_once, same
from runcrate_core.protocol.request import (
    ReadTimeout,
    Request,
    RetrySafety,
    infrastructure_request,
    new_idempotency_key,
)
from runcrate_core.protocol.response import Response
from runcrate_core.protocol.steps import Call, Flow


class Volume(ApiModel):
    """A storage volume.

    Attributes:
        size_gb: Capacity in GB.
        status: Open text; seen are `available`, `attached` and `active`.
        provider_type: Such as `aws-s3`.
        deployment_id: The instance it is attached to.
        recovered: Whether the response to its creation was lost and it was found by its name.
    """

    id: str
    name: str = ""
    size_gb: int | float | None = None
    status: VolumeStatus | None = None
    region: str | None = None
    provider_type: str | None = None
    deployment_id: str | None = None
    project_id: str | None = None
    created_at: UtcDatetime | None = None
    updated_at: UtcDatetime | None = None
    recovered: bool = False


class StorageRegion(ApiModel):
    """A place where volumes can be made. `id` is what `create(region=...)` takes."""

    id: str
    name: str = ""
    provider: str | None = None


class VolumeDeletion(ApiModel):
    """Result of deleting a volume.

    Attributes:
        refund_amount: USD given back for the unused days of the week; `None` if not reported.
    """

    message: str | None = None
    refund_amount: Decimal | None = None


def _about(method: str, volume_id: str, **options: Any) -> Request:
    return infrastructure_request(
        method,
        "/storage/{volume_id}",
        RetrySafety.SAFE,
        identifiers={"volume_id": volume_id},
        **options,
    )


def list_volumes(*, search: str | None = None) -> Call[list[Volume]]:
    """List the volumes of the environment.

    Args:
        search: Only those whose name contains this.

    Returns:
        All of them; the API does not page them.

    Example:
        ```python
        volumes = client.storage.list()
        filtered = client.storage.list(search="datasets")
        ```
    """
    request = infrastructure_request("GET", "/storage", RetrySafety.SAFE, query={"search": search})
    return Call(request, parse_list(Volume, request))


def get(volume_id: str) -> Call[Volume]:
    """Return a volume.

    Args:
        volume_id: Identifier.

    Raises:
        ValueError: `volume_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.

    Example:
        ```python
        volume = client.storage.get(volume.id)
        print(volume.name, volume.size_gb)
        ```
    """
    request = _about("GET", volume_id)
    return Call(request, parse_item(Volume, request))


def list_regions() -> Call[list[StorageRegion]]:
    """List where volumes can be made, with the names that people know.

    Returns:
        The regions of the workspace's provider; none when no provider is configured.

    Example:
        ```python
        for region in client.storage.list_regions():
            print(f"{region.name} ({region.provider})")
        ```
    """
    request = infrastructure_request("GET", "/storage/regions", RetrySafety.SAFE)
    return Call(request, parse_list(StorageRegion, request))


def create(*, name: str, size_gb: int, region: str) -> Flow[Volume]:
    """Create a volume. Its first week is charged immediately.

    The request is never sent twice unless the first was certainly not acted on. When its response
    is lost, the volume is looked up by its name, so a name of its own is the best protection.

    Args:
        name: Name.
        size_gb: Capacity in GB; it can be increased later, never decreased.
        region: A region of `list_regions`.

    Returns:
        The volume; `id` is what `instances.create(storage_id=...)` takes.

    Raises:
        InsufficientCreditsError: No credits; nothing was made.
        UnprocessableEntityError: A value is out of range.
        AmbiguousLaunchError: The response was lost and no volume of this name was found.

    Example:
        ```python
        region = client.storage.list_regions()[0]
        volume = client.storage.create(name="datasets", size_gb=100, region=region.id)
        ```
    """
    request = infrastructure_request(
        "POST",
        "/storage",
        RetrySafety.NEVER,
        read_timeout=ReadTimeout.LAUNCH,
        idempotency_key=new_idempotency_key(),
        body={"name": name, "size_gb": size_gb, "region": region},
    )
    creation = Creation(
        label="volume",
        name=name,
        look_up=f"storage.list(search={name!r})",
        find=by_name(
            name,
            lambda: list_volumes(search=name),
            matches=lambda volume: same(size_gb, volume.size_gb) and same(region, volume.region),
        ),
    )
    return create_once(Call(request, parse_item(Volume, request)), creation)


def resize(volume_id: str, size_gb: int) -> Call[Volume]:
    """Increase the capacity of a volume. The difference is charged.

    Args:
        volume_id: Identifier.
        size_gb: The new capacity in GB, more than the present one.

    Returns:
        The volume with its new capacity.

    Raises:
        ValueError: `volume_id` is not an identifier; nothing was sent.
        NotFoundError: There is none with this identifier in the environment.
        UnprocessableEntityError: It would become smaller.

    Example:
        ```python
        client.storage.resize(volume.id, 200)
        ```
    """
    request = _about("PATCH", volume_id, body={"size_gb": size_gb})
    return Call(request, parse_item(Volume, request))


def delete(volume_id: str) -> Call[VolumeDeletion]:
    """Delete a volume and its data. The unused days of the week are refunded.

    Calling it again is safe: when the response of an attempt was lost and the next finds nothing,
    it has worked; the refund is then not known.

    Args:
        volume_id: Identifier.

    Returns:
        What was refunded.

    Raises:
        ValueError: `volume_id` is not an identifier; nothing was sent.
        ConflictError: It is attached to an instance; nothing was deleted.
        NotFoundError: There is none with this identifier in the environment.

    Example:
        ```python
        result = client.storage.delete(volume.id)
        print(f"Refunded ${result.refund_amount}")
        ```
    """
    request = _about("DELETE", volume_id)
    return Call(request, _deletion(request))


def _deletion(request: Request) -> Callable[[Response], VolumeDeletion]:
    parse = parse_item(VolumeDeletion, request)
    # A repeated deletion that finds nothing left has no body.
    return lambda response: parse(response) if response.body.strip() else VolumeDeletion()


class Storage(SyncResource):
    """`client.storage`."""

    list = endpoint(list_volumes)
    get = endpoint(get)
    list_regions = endpoint(list_regions)
    create = endpoint(create)
    resize = endpoint(resize)
    delete = endpoint(delete)


class AsyncStorage(AsyncResource):
    """`client.storage` of the asynchronous client."""

    list = async_endpoint(list_volumes)
    get = async_endpoint(get)
    list_regions = async_endpoint(list_regions)
    create = async_endpoint(create)
    resize = async_endpoint(resize)
    delete = async_endpoint(delete)
