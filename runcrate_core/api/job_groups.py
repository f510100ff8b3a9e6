"""Job groups: jobs that were submitted together with `jobs.run_group`.

Facts: the official SDK 0.5.0.
"""

from __future__ import annotations

from runcrate_core.api.envelope import parse_item
from runcrate_core.api.job_types import JobGroup
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.request import ReadTimeout, RetrySafety, infrastructure_request
from runcrate_core.protocol.steps import Call


def get(job_group_id: str) -> Call[JobGroup]:
    """Return a group: how many of its jobs are in which state, and what they cost.

    Args:
        job_group_id: Identifier.

    Raises:
        ValueError: `job_group_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such group in the environment.

    Example:
        ```python
        print(client.job_groups.get(group.id).status_counts)
        ```
    """
    request = infrastructure_request(
        "GET",
        "/job-groups/{job_group_id}",
        RetrySafety.SAFE,
        identifiers={"job_group_id": job_group_id},
    )
    return Call(request, parse_item(JobGroup, request))


def cancel(job_group_id: str) -> Call[JobGroup]:
    """Cancel all jobs of a group that have not ended. It may take minutes.

    Args:
        job_group_id: Identifier.

    Returns:
        The group as it is now.

    Raises:
        ValueError: `job_group_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such group in the environment.

    Example:
        ```python
        client.job_groups.cancel(group.id)
        ```
    """
    request = infrastructure_request(
        "POST",
        "/job-groups/{job_group_id}/cancel",
        # Cancelling what is cancelled changes nothing.
        RetrySafety.SAFE,
        identifiers={"job_group_id": job_group_id},
        read_timeout=ReadTimeout.JOB_GROUP,
    )
    return Call(request, parse_item(JobGroup, request))


class JobGroups(SyncResource):
    """`client.job_groups`."""

    get = endpoint(get)
    cancel = endpoint(cancel)


class AsyncJobGroups(AsyncResource):
    """`client.job_groups` of the asynchronous client."""

    get = async_endpoint(get)
    cancel = async_endpoint(cancel)
