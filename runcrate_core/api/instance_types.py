"""Instance types: what can be rented, and its price.

Facts: seed 003 and the official SDK 0.5.0.
"""

from __future__ import annotations

from decimal import Decimal

from runcrate_core.api.envelope import Identifier, LenientModel, parse_list
from runcrate_core.protocol.request import RetrySafety, infrastructure_request
from runcrate_core.protocol.steps import Call


class InstanceType(LenientModel):
    """An instance type that can be rented; being listed does not promise that one is free now.

    Attributes:
        hourly_rate: USD an hour for the complete instance.
        memory_gb: Memory in GB.
        storage_gb: Disk in GB.
    """

    id: Identifier
    gpu_type: str = ""
    gpu_count: int = 0
    cpu_cores: int | None = None
    memory_gb: int | float | None = None
    storage_gb: int | float | None = None
    region: str | None = None
    deployment_type: str | None = None
    hourly_rate: Decimal | None = None


def list_types(
    *, gpu_type: str | None = None, region: str | None = None, gpu_count: int | None = None
) -> Call[list[InstanceType]]:
    """List the instance types that can be rented, with their prices.

    Args:
        gpu_type: Only this GPU, such as `A100`.
        region: Only this region.
        gpu_count: Only with so many GPUs.

    Example:
        ```python
        types = client.instances.list_types(gpu_type="A100")
        cheapest = min(types, key=lambda kind: kind.hourly_rate)
        ```
    """
    query = {"gpu_type": gpu_type, "region": region, "gpu_count": gpu_count}
    request = infrastructure_request("GET", "/instances/types", RetrySafety.SAFE, query=query)
    return Call(request, parse_list(InstanceType, request))
