"""Job submission: one job, a group, or a rerun.

Facts: the official SDK 0.5.0. Submissions are deduplicated by their key for a day, so that they
are retried like reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from runcrate_core.api.envelope import M, parse_item
from runcrate_core.api.job_types import Job, JobChanges, JobOptions, SubmittedJobGroup
from runcrate_core.api.lifetimes import checked_lifetime
from runcrate_core.protocol.json_body import refuse_misspelt, without_none
from runcrate_core.protocol.reconcile import Creation, Find, create_once
from runcrate_core.protocol.request import (
    ReadTimeout,
    RetrySafety,
    infrastructure_request,
    new_idempotency_key,
)
from runcrate_core.protocol.steps import Call, Flow

# Fields that make a submission a group, whose response has another shape.
_GROUP_FIELDS: Final = frozenset({"count", "params", "max_parallel"})
JOB_FIELDS: Final = JobOptions.__annotations__.keys() | {
    "command",
    "gpu_type",
    "max_runtime_minutes",
}


def _submission(
    kind: type[M],
    route: str,
    body: Mapping[str, Any],
    key: str | None,
    *,
    name: str | None = None,
    find: Find[M] | None = None,
    **options: Any,
) -> Flow[M]:
    key = key or new_idempotency_key()
    request = infrastructure_request(
        "POST",
        route,
        RetrySafety.KEYED,
        read_timeout=ReadTimeout.JOB,
        idempotency_key=key,
        body=body,
        **options,
    )
    creation = Creation(
        label="job group" if kind is SubmittedJobGroup else "job",
        # The key returns the same job for a day, so asking again is the lookup.
        look_up=f"the same call with idempotency_key={key!r}",
        name=name,
        find=find,
    )
    return create_once(Call(request, parse_item(kind, request)), creation)


def job_body(**fields: Any) -> dict[str, Any]:
    """Return the request body of a single job.

    Raises:
        ValueError: A field is one of a group, or misspelt.
    """
    of_groups = _GROUP_FIELDS & fields.keys()
    if of_groups:
        raise ValueError(
            f"`run` submits one job; {', '.join(sorted(of_groups))} are for `run_group`. Nothing "
            "was sent."
        )
    refuse_misspelt(fields, JOB_FIELDS)
    return without_none(**fields)


def submit(body: Mapping[str, Any], find: Find[Job]) -> Flow[Job]:
    """Submit a job with a unique name, and look it up by name if the response is lost.

    Args:
        body: The request body, with a `name`.
        find: Looks up the job.
    """
    return _submission(Job, "/jobs", body, None, name=body["name"], find=find)


def run(
    *,
    command: str,
    gpu_type: str | Sequence[str],
    max_runtime_minutes: int,
    idempotency_key: str | None = None,
    **options: Unpack[JobOptions],
) -> Flow[Job]:
    """Submit a job. It costs money while its instance runs.

    Args:
        command: Shell command, run with bash in `/workspace`; at most 64 KB. What it writes to
            `$RUNCRATE_OUTPUT_DIR` is kept for 30 days.
        gpu_type: Such as `A100`, or several to try in order; one may carry its count (`H100:2`).
        max_runtime_minutes: 1 to 10080; each attempt is ended after so long.
        idempotency_key: Asking again with the same key within a day returns the same job. A new
            one when not given; every error carries it.
        options: See `JobOptions`; among them `env`, `code`, `tags`, `max_retries` and `name`.

    Returns:
        The job, queued or starting; see `wait` and `follow_logs`.

    Raises:
        ValueError: Fields of a group, which `run_group` submits, or a value that is not JSON;
            nothing was sent.
        InsufficientCreditsError: No credits, or the environment's budget is spent.
        UnprocessableEntityError: A field is wrong.
        AmbiguousLaunchError: It may have been submitted: call again with the error's
            `idempotency_key`, which returns the same job.

    Example:
        ```python
        job = client.jobs.run(
            command="python train.py && cp model.pt $RUNCRATE_OUTPUT_DIR/",
            gpu_type=["A4000", "L40S"],
            max_runtime_minutes=60,
            env={"EPOCHS": "3"},
            tags={"project": "vision"},
        )
        for chunk in client.jobs.follow_logs(job.id):
            print(chunk.text, end="")
        done = client.jobs.wait(job.id, timeout=3600)
        print(done.status, done.exit_code, done.cost_usd)
        ```
    """
    body = job_body(
        command=command, gpu_type=gpu_type, max_runtime_minutes=max_runtime_minutes, **options
    )
    submitted = _submission(Job, "/jobs", body, idempotency_key)
    return checked_lifetime(submitted, max_runtime_minutes)


def run_group(
    *,
    command: str,
    gpu_type: str | Sequence[str],
    max_runtime_minutes: int,
    count: int | None = None,
    params: Sequence[Mapping[str, str]] | None = None,
    max_parallel: int | None = None,
    idempotency_key: str | None = None,
    **options: Unpack[JobOptions],
) -> Flow[SubmittedJobGroup]:
    """Submit several jobs that differ at most in their environment variables.

    Args:
        command: Shell command of each job; see `run`.
        gpu_type: See `run`.
        max_runtime_minutes: 1 to 10080, for each attempt of each job.
        count: How many times the same job.
        params: Instead of `count`, one job for each entry, which is merged over `env`.
        max_parallel: Most jobs at the same time.
        idempotency_key: See `run`.
        options: See `JobOptions`.

    Returns:
        The group with its jobs.

    Raises:
        ValueError: Neither or both of `count` and `params`; nothing was sent.
        InsufficientCreditsError: No credits, or the environment's budget is spent.
        UnprocessableEntityError: A field is wrong.
        AmbiguousLaunchError: It may have been submitted: call again with the error's
            `idempotency_key`, which returns the same job.

    Example:
        ```python
        group = client.jobs.run_group(
            command="python sweep.py --lr $LR",
            gpu_type="A4000",
            max_runtime_minutes=30,
            params=[{"LR": "0.1"}, {"LR": "0.01"}],
            max_parallel=2,
        )
        print([job.id for job in group.jobs])
        ```
    """
    if (count is None) == (params is None):
        raise ValueError("Give either `count` or `params`. Nothing was sent.")
    refuse_misspelt(options, JOB_FIELDS | _GROUP_FIELDS)
    body = without_none(
        command=command,
        gpu_type=gpu_type,
        max_runtime_minutes=max_runtime_minutes,
        count=count,
        params=params,
        max_parallel=max_parallel,
        **options,
    )
    submitted = _submission(SubmittedJobGroup, "/jobs", body, idempotency_key)
    return checked_lifetime(submitted, max_runtime_minutes, lambda group: group.jobs)


def rerun(
    job_id: str, *, idempotency_key: str | None = None, **changes: Unpack[JobChanges]
) -> Flow[Job]:
    """Submit a job again, as a new one with its environment variables.

    Args:
        job_id: The job to run again.
        idempotency_key: See `run`.
        changes: Fields to change (see `JobChanges`); `None` drops one, and `env` is merged over
            the job's own. Only who submitted the job can use its variables again.

    Returns:
        The new job; its `rerun_of` names the old one.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such job in the environment.
        UnprocessableEntityError: A field is wrong.
        AmbiguousLaunchError: It may have been submitted: call again with the error's
            `idempotency_key`, which returns the same job.

    Example:
        ```python
        again = client.jobs.rerun(job.id, max_runtime_minutes=120)
        ```
    """
    refuse_misspelt(changes, JOB_FIELDS)
    submitted = _submission(
        Job, "/jobs/{job_id}/rerun", changes, idempotency_key, identifiers={"job_id": job_id}
    )
    return checked_lifetime(submitted, changes.get("max_runtime_minutes"))
