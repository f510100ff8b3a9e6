"""Jobs: one command each, on its own new GPU instance that terminates with the command.

Facts: the official SDK 0.5.0. Submitting them is in `job_submissions`, their output in
`job_logs`, their files in `job_artifacts`, code for them in `code_uploads`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, Final, Unpack

from runcrate_core.api.code_uploads import AsyncJobUploads, JobUploads
from runcrate_core.api.envelope import parse_empty, parse_item, parse_list, parse_page
from runcrate_core.api.job_artifacts import AsyncJobArtifacts, JobArtifacts
from runcrate_core.api.job_logs import follow_logs, logs
from runcrate_core.api.job_submissions import rerun, run, run_group
from runcrate_core.api.job_types import Job, JobEvent, JobFilters, JobMetricPoint
from runcrate_core.api.resources import (
    AsyncResource,
    SyncResource,
    async_endpoint,
    async_iterator_endpoint,
    async_paged_endpoint,
    endpoint,
    iterator_endpoint,
    paged_endpoint,
)
from runcrate_core.protocol.paging import ListMeta, PageData, next_cursor
from runcrate_core.protocol.polling import Progress, poll
from runcrate_core.protocol.request import (
    ReadTimeout,
    Request,
    RetrySafety,
    infrastructure_request,
    timestamp,
)
from runcrate_core.protocol.steps import Call, Flow

# The most that the API returns at once.
MAX_PAGE_SIZE: Final = 100


def _about(method: str, job_id: str, rest: str = "", **options: Any) -> Request:
    return infrastructure_request(
        method,
        f"/jobs/{{job_id}}{rest}",
        RetrySafety.SAFE,
        identifiers={"job_id": job_id},
        **options,
    )


def list_jobs(
    *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[JobFilters]
) -> Call[PageData[Job]]:
    """List jobs, newest first. Iterating over the result goes through all pages.

    Args:
        limit: Jobs a page, 1 to 100 (20 when not given).
        cursor: Where to start: the `.cursor` of an earlier page.
        filters: Which jobs; see `JobFilters` (`status`, `tags`, `group_id`, `q`, `gpu_type`,
            `created_after`).

    Returns:
        A page: `.data`, `.total`, `.has_more`, `.cursor`, `.next_page()`.

    Raises:
        ValueError: `created_after` has no time zone; nothing was sent.

    Example:
        ```python
        page = client.jobs.list(status=["queued", "running"], tags={"project": "vision"})
        for job in page:
            print(job.name, job.status)
        ```
    """
    return _page({"limit": limit, **_query(filters)}, cursor)


def list_all(**filters: Unpack[JobFilters]) -> Call[PageData[Job]]:
    """Iterate over all jobs, newest first, in pages of the maximum size.

    Args:
        filters: Which jobs; see `JobFilters`.

    Returns:
        An iterator; the next page is asked for when it is needed.

    Raises:
        ValueError: `created_after` has no time zone; nothing was sent.

    Example:
        ```python
        costs = sum(job.cost_usd or 0 for job in client.jobs.list_all(status="succeeded"))
        ```
    """
    return _page({"limit": MAX_PAGE_SIZE, **_query(filters)}, None)


def _query(filters: JobFilters) -> dict[str, Any]:
    query: dict[str, Any] = dict(filters)
    status, tags, after = (query.pop(name, None) for name in ("status", "tags", "created_after"))
    if status is not None:
        query["status"] = status if isinstance(status, str) else ",".join(status)
    if tags is not None:
        query["tag"] = [f"{key}:{value}" for key, value in tags.items()]
    if after is not None:
        query["created_after"] = timestamp(after, "created_after")
    return query


def _page(
    query: Mapping[str, Any],
    cursor: str | None,
    seen: frozenset[str] = frozenset(),
    empty_pages: int = 0,
) -> Call[PageData[Job]]:
    request = infrastructure_request(
        "GET", "/jobs", RetrySafety.SAFE, query={**query, "cursor": cursor}
    )

    def following(meta: ListMeta, count: int) -> Callable[[], Call[PageData[Job]]] | None:
        empty = 0 if count else empty_pages + 1
        after = next_cursor(meta, seen, empty_pages=empty)
        return None if after is None else partial(_page, query, after, seen | {after}, empty)

    return Call(request, parse_page(Job, request, following))


def get(job_id: str) -> Call[Job]:
    """Return a job.

    Args:
        job_id: Identifier.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        print(client.jobs.get(job.id).status)
        ```
    """
    request = _about("GET", job_id)
    return Call(request, parse_item(Job, request))


def cancel(job_id: str) -> Call[Job]:
    """Cancel a job and terminate its instance. Cancelling a cancelled job changes nothing.

    Args:
        job_id: Identifier.

    Returns:
        The job, `cancelled`.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        ConflictError: It has ended otherwise.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        client.jobs.cancel(job.id)
        ```
    """
    request = _about("POST", job_id, "/cancel", read_timeout=ReadTimeout.JOB)
    return Call(request, parse_item(Job, request))


def delete(job_id: str) -> Call[None]:
    """Delete a job that has ended, with its logs and outputs.

    Args:
        job_id: Identifier.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        ConflictError: It has not ended; nothing was deleted.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        client.jobs.delete(job.id)
        ```
    """
    request = _about("DELETE", job_id)
    return Call(request, parse_empty(request))


def events(job_id: str) -> Call[list[JobEvent]]:
    """Return the events of a job, oldest first.

    Args:
        job_id: Identifier.

    Returns:
        Its events: queued, launched, started, exited and others.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        for event in client.jobs.events(job.id):
            print(event.at, event.kind, event.detail)
        ```
    """
    request = _about("GET", job_id, "/events")
    return Call(request, parse_list(JobEvent, request))


def metrics(job_id: str, *, step: int | None = None) -> Call[list[JobMetricPoint]]:
    """Return the GPU usage of a job.

    Args:
        job_id: Identifier.
        step: Seconds between two points, 60 to 86400.

    Returns:
        One point for each step while the command ran.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        for point in client.jobs.metrics(job.id, step=60):
            print(point.at, [gpu.util for gpu in point.gpus])
        ```
    """
    request = _about("GET", job_id, "/metrics", query={"step": step})
    return Call(request, parse_list(JobMetricPoint, request))


def wait(
    job_id: str,
    *,
    timeout: float | None = None,
    poll_interval: float = 2.0,
    max_poll_interval: float = 30.0,
    on_status: Callable[[Job], Any] | None = None,
) -> Flow[Job]:
    """Wait until a job has ended, however it ends.

    Args:
        job_id: Identifier.
        timeout: Most seconds to wait; `None` for as long as it takes.
        poll_interval: Seconds between the first two checks; the gap doubles after each.
        max_poll_interval: Longest gap in seconds.
        on_status: Called with the job at first and at each change of its status.

    Returns:
        The job as it ended: check `.status`, `.exit_code` and `.error`.

    Raises:
        WaitTimeoutError: It has not ended; it continues and costs money while it runs.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        done = client.jobs.wait(job.id, timeout=3600, on_status=lambda job: print(job.status))
        ```
    """
    return poll(
        partial(get, job_id),
        is_done=lambda job: job.has_ended,
        progress=Progress(key=lambda job: job.status, on_change=on_status),
        timeout=timeout,
        interval=poll_interval,
        longest_interval=max_poll_interval,
        label=f"The job `{job_id}` has not ended",
        next_step="It continues and costs money while it runs: wait again, or cancel it.",
    )


class Jobs(SyncResource):
    """`client.jobs`."""

    run = endpoint(run)
    run_group = endpoint(run_group)
    rerun = endpoint(rerun)
    list = paged_endpoint(list_jobs)
    list_all = iterator_endpoint(list_all)
    get = endpoint(get)
    cancel = endpoint(cancel)
    delete = endpoint(delete)
    logs = endpoint(logs)
    follow_logs = iterator_endpoint(follow_logs)
    events = endpoint(events)
    metrics = endpoint(metrics)
    wait = endpoint(wait)

    @cached_property
    def artifacts(self) -> JobArtifacts:
        """The files that jobs wrote."""
        return JobArtifacts(self._driver)

    @cached_property
    def uploads(self) -> JobUploads:
        """Code for jobs."""
        return JobUploads(self._driver)


class AsyncJobs(AsyncResource):
    """`client.jobs` of the asynchronous client."""

    run = async_endpoint(run)
    run_group = async_endpoint(run_group)
    rerun = async_endpoint(rerun)
    list = async_paged_endpoint(list_jobs)
    list_all = async_iterator_endpoint(list_all)
    get = async_endpoint(get)
    cancel = async_endpoint(cancel)
    delete = async_endpoint(delete)
    logs = async_endpoint(logs)
    follow_logs = async_iterator_endpoint(follow_logs)
    events = async_endpoint(events)
    metrics = async_endpoint(metrics)
    wait = async_endpoint(wait)

    @cached_property
    def artifacts(self) -> AsyncJobArtifacts:
        """The files that jobs wrote."""
        return AsyncJobArtifacts(self._driver)

    @cached_property
    def uploads(self) -> AsyncJobUploads:
        """Code for jobs."""
        return AsyncJobUploads(self._driver)
