"""Jobs and groups as the API shows them."""

import math
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from runcrate_emulator.infrastructure import instance_life
from runcrate_emulator.infrastructure.job_record import (
    OUTPUTS_KEPT_FOR,
    Artifact,
    Attempt,
    Job,
)
from runcrate_emulator.infrastructure.records import JobGroup
from runcrate_emulator.infrastructure.webhooks import webhook_secret
from runcrate_emulator.infrastructure.wire import fields
from runcrate_emulator.world import World

_TYPICAL_UTILISATION = 84.0  # percent; a made-up figure, as no GPU is there to be measured
_TYPICAL_MEMORY_SHARE = 0.62


def job_view(world: World, job: Job, *, with_secret: bool = False) -> dict[str, Any]:
    """One job; the webhook secret is only on the response that created it."""
    now = world.moment
    attempt = job.attempt
    instance = None if attempt is None else attempt.instance
    spec = job.spec
    webhook_url = None
    if spec.webhook_url is not None:  # its host and the end of its path, as the SDK describes it
        parts = urlsplit(spec.webhook_url)
        webhook_url = f"{parts.scheme}://{parts.hostname}/…{parts.path[-4:]}"
    peak_mb = None
    if job.ended_at is not None and attempt is not None and attempt.started_at is not None:
        peak_mb = round(attempt.instance.type.gpu_memory_gb * 1024 * _TYPICAL_MEMORY_SHARE)
    view: dict[str, Any] = {
        **fields(spec, "command template image storage_id max_runtime_minutes max_retries tags"),
        **fields(spec, "capacity_wait_minutes retry_on retry_exit_codes webhook_events"),
        **fields(spec, "allow_cpu_container"),
        **fields(job, "id name status queue_reason next_attempt_at error environment_id group_id"),
        **fields(job, "job_index rerun_of created_at ended_at"),
        **fields(job.gpus[0], "gpu_type gpu_count"),
        "gpu_candidates": [fields(one, "gpu_type gpu_count") for one in spec.candidates],
        "env_keys": sorted(spec.env),
        "attempt": max(len(job.attempts), 1),
        "attempts": [
            {
                **fields(entry, "status exit_code error started_at ended_at"),
                **fields(entry.instance.type, "gpu_type gpu_count"),
                "region": entry.instance.type.region.id,
                "attempt": entry.number,
                "deployment_id": entry.instance.id,
                "cost_usd": _attempt_cost(world, entry),
            }
            for entry in job.attempts
        ],
        "exit_code": None if attempt is None else attempt.exit_code,
        "instance_id": instance.id if instance is not None and job.is_live else None,
        "webhook_url": webhook_url,
        "started_at": None if not job.attempts else job.attempts[0].started_at,
        "cost_per_hour": None if instance is None else instance.type.hourly_rate,
        "cost_usd": job_cost(world, job),
        "log_bytes": sum(len(chunk["text"].encode()) for chunk in log_chunks(job, now)),
        "logs_truncated": False,
        "code": _code_view(world, job),
        "image_registry_auth": spec.image_registry_auth and spec.image_registry_auth.model_dump(),
        "artifacts_count": len(present_artifacts(job, now)),
        "gpu_util_avg": None if peak_mb is None else _TYPICAL_UTILISATION,
        "gpu_mem_peak_mb": peak_mb,
    }
    if with_secret and spec.webhook_url is not None:
        view["webhook_secret"] = webhook_secret(job)
    return view


def group_view(world: World, group: JobGroup) -> dict[str, Any]:
    """One group, with its counts and cost."""
    jobs = [world.jobs[job_id] for job_id in group.job_ids if job_id in world.jobs]
    return {
        "id": group.id,
        "count": len(group.job_ids),
        "max_parallel": group.max_parallel,
        "status_counts": dict(Counter(job.status for job in jobs)),
        "cost_usd": sum((job_cost(world, job) for job in jobs), Decimal(0)),
        "created_at": group.created_at,
    }


def job_cost(world: World, job: Job) -> Decimal:
    """The cost of every attempt's instance, added up."""
    return sum((_attempt_cost(world, attempt) for attempt in job.attempts), Decimal(0))


def present_artifacts(job: Job, now: datetime) -> list[Artifact]:
    """The outputs that can be had: after the first attempt, until 30 days after the end."""
    is_gone = job.ended_at is not None and now >= job.ended_at + OUTPUTS_KEPT_FOR
    return [] if is_gone else [job.artifacts[path] for path in sorted(job.artifacts)]


def metric_points(world: World, job: Job, step_s: int) -> list[dict[str, Any]]:
    """GPU use per step while the command ran. The figures are made up, but always the same."""
    points: list[dict[str, Any]] = []
    for attempt in job.attempts:
        if attempt.started_at is None:
            continue
        kind = attempt.instance.type
        sample = {
            "util": _TYPICAL_UTILISATION,
            "mem_used_mb": round(kind.gpu_memory_gb * 1024 * _TYPICAL_MEMORY_SHARE),
            "mem_total_mb": kind.gpu_memory_gb * 1024,
        }
        ran_s = attempt.ran_s(attempt.ended_at or world.moment)
        points += [
            {"at": attempt.started_at + timedelta(seconds=at_s), "gpus": [sample] * kind.gpu_count}
            for at_s in range(0, math.ceil(ran_s), step_s)
        ]
    return points


def log_chunks(job: Job, now: datetime, after: int = 0) -> list[dict[str, Any]]:
    """The log over all attempts, numbered from 1, without the first `after` chunks."""
    chunks: list[dict[str, Any]] = []
    for attempt in job.attempts:
        if attempt.started_at is None:
            continue
        for at_s, text in attempt.trace.lines:
            at = attempt.started_at + timedelta(seconds=at_s)
            if at <= min(now, attempt.ended_at or now):
                chunks.append({"seq": len(chunks) + 1, "ts": at, "text": text})
    return chunks[after:]


def _attempt_cost(world: World, attempt: Attempt) -> Decimal:
    instance = attempt.instance
    return instance_life.cost_between(instance, instance.runs_from, world.moment)


def _code_view(world: World, job: Job) -> dict[str, Any] | None:
    code = job.spec.code
    if code is None:
        return None
    if code.git is None:
        upload = world.uploads[code.upload_id or ""]
        return {"source": "upload", "ref": upload.id, "sha256": upload.sha256}
    return {"source": "git", **fields(code.git, "url ref")}
