"""Tools about jobs: looking, reading their output, fetching their files, running, cancelling."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.agent_tools.foreign_text import UNTRUSTED_NOTE
from runcrate_core.agent_tools.rendering import job_view, listed, spending_view, untrusted
from runcrate_core.agent_tools.tool import given
from runcrate_core.api import job_artifacts, job_logs, jobs
from runcrate_core.errors import APITimeoutError, NotFoundError, ResponseFormatError
from runcrate_core.protocol.file_names import safe_file_name
from runcrate_core.protocol.steps import Do
from runcrate_core.spending.ending import note_if_ended

if TYPE_CHECKING:
    from pathlib import Path

    from runcrate_core.agent_tools import arguments
    from runcrate_core.agent_tools.tool import Surroundings
    from runcrate_core.api.job_artifacts import JobArtifact
    from runcrate_core.protocol.steps import Flow

    Result = Flow[dict[str, Any]]

WAIT: Final = "runcrate_wait_for_job"
# Pages of output that one call reads; a page is up to a thousand pieces.
MOST_LOG_PAGES: Final = 20
# Largest output that is fetched for an agent (bytes).
LARGEST_ARTIFACT: Final = 1024**3
# A text of at most so many bytes is shown to the model, which cannot open files.
_SHOWN_BYTES: Final = 4000
_SHORT_DIGEST: Final = 8


def list_jobs(around: Surroundings, asked: arguments.ListJobs) -> Result:
    """List jobs, the newest first."""
    page = yield from jobs.list_jobs(limit=asked.limit, status=asked.status, q=asked.search)
    shown = listed(page.items, job_view, around, limit=asked.limit, what="jobs")
    return {**shown, "count": len(page.items) if page.total is None else page.total}


def get_job(around: Surroundings, asked: arguments.OneJob) -> Result:
    """Show a job."""
    job = yield from jobs.get(asked.job_id)
    note_if_ended(around.ledger, job)
    return job_view(job, around)


def get_job_logs(around: Surroundings, asked: arguments.GetJobLogs) -> Result:
    """Show the end of what a job has written."""
    text, after = "", asked.after
    for _ in range(MOST_LOG_PAGES):
        page = yield from job_logs.logs(asked.job_id, after=after)
        text += "".join(chunk.text for chunk in page.chunks)
        is_last = page.done or not page.chunks or page.cursor <= after
        after = max(after, page.cursor)
        if is_last:
            break
    shown, left_out = around.clean.ending(text, asked.max_characters)
    return given(
        job_id=page.job_id or asked.job_id,
        status=around.clean.name(page.status),
        complete=page.done,
        cursor=after,
        characters_left_out=left_out or None,
        log=untrusted(shown) or "nothing new",
        note=UNTRUSTED_NOTE if shown else None,
    )


def wait_for_job(around: Surroundings, asked: arguments.WaitForJob) -> Result:
    """Wait until a job has ended; not for longer than was asked for."""
    try:
        job = yield from jobs.wait(
            asked.job_id,
            timeout=asked.timeout_seconds,
            poll_interval=around.poll_interval,
            on_status=around.telling(WAIT),
        )
    except APITimeoutError as error:
        if error.attempts:  # a request had no answer; it is not that the time is over
            raise
        job = yield from jobs.get(asked.job_id)
        return {
            **job_view(job, around),
            "next": "It has not ended. Wait again, read its logs, or cancel it.",
        }
    note_if_ended(around.ledger, job)
    return job_view(job, around)


def list_job_artifacts(around: Surroundings, asked: arguments.OneJob) -> Result:
    """List the files that a job wrote."""
    found = yield from job_artifacts.list_artifacts(asked.job_id)
    return listed(found, _artifact_view, around, limit=50, what="artifacts")


def download_job_artifact(around: Surroundings, asked: arguments.DownloadJobArtifact) -> Result:
    """Save a file that a job wrote in the program's folder, under a name that is made here."""
    found = yield from job_artifacts.list_artifacts(asked.job_id)
    artifact = next((item for item in found if item.path == asked.path), None)
    if artifact is None or around.files_dir is None:
        raise NotFoundError(
            f"The job `{asked.job_id}` has no output of this path. Nothing was saved. List its "
            "outputs and take a path from there."
        )
    if (artifact.bytes or 0) > LARGEST_ARTIFACT:
        raise ResponseFormatError(
            f"The output has {artifact.bytes} bytes, more than the {LARGEST_ARTIFACT} that are "
            "fetched for an agent. Nothing was saved. Ask the user to download it."
        )
    target = around.files_dir / artifact_file_name(asked.job_id, artifact.path)
    yield from Do(partial(around.files_dir.mkdir, parents=True, exist_ok=True))
    yield from job_artifacts.download(asked.job_id, artifact, to=target, limit=LARGEST_ARTIFACT)
    text = yield from Do(partial(_short_text, target))
    shown = None if text is None else around.clean.ending(text, _SHOWN_BYTES)[0]
    return given(
        saved_to=str(target),
        **_artifact_view(artifact, around),
        content=untrusted(shown),
        note=UNTRUSTED_NOTE if shown else None,
    )


def run_job(around: Surroundings, asked: arguments.RunJob) -> Result:
    """Submit a job."""
    job = yield from around.spending.run_job(**asked.model_dump(exclude_none=True))
    return {
        **job_view(job, around),
        "budget": spending_view(around),
        "next": f"It costs money until it ends. Call {WAIT}, then runcrate_get_job_logs.",
    }


def cancel_job(around: Surroundings, asked: arguments.CancelJob) -> Result:
    """End a job."""
    job = yield from around.spending.cancel_job(asked.job_id)
    return {**job_view(job, around), "budget": spending_view(around)}


def artifact_file_name(job_id: str, path: str) -> str:
    """Return the name under which an output is saved: plain, and its own for each output."""
    name = safe_file_name(path, "output")
    digest = hashlib.sha256(f"{job_id}/{path}".encode()).hexdigest()[:_SHORT_DIGEST]
    suffix = PurePosixPath(name).suffix
    return safe_file_name(f"{name.removesuffix(suffix)}-{digest}{suffix}")


def _artifact_view(item: JobArtifact, around: Surroundings) -> dict[str, Any]:
    # The path is what `runcrate_download_job_artifact` takes, so one that had to be cleaned
    # cannot be fetched by a model.
    return given(path=around.clean.remark(item.path), bytes=item.bytes)


def _short_text(file: Path) -> str | None:
    if file.stat().st_size > _SHOWN_BYTES:
        return None
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        return None
