"""Tools about jobs: looking, reading their output, fetching their files, running, cancelling."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.agent_tools.rendering import job_view, listed, spending_view, untrusted
from runcrate_core.agent_tools.tool import given
from runcrate_core.agent_tools.untrusted_text import UNTRUSTED_NOTE
from runcrate_core.api import job_artifacts, job_logs, jobs
from runcrate_core.errors import APITimeoutError, NotFoundError, ResponseFormatError
from runcrate_core.protocol.file_names import safe_file_name
from runcrate_core.protocol.steps import RunInThread
from runcrate_core.spending.cleanup import note_if_ended

if TYPE_CHECKING:
    from pathlib import Path

    from runcrate_core.agent_tools import arguments
    from runcrate_core.agent_tools.tool import ToolContext
    from runcrate_core.api.job_artifacts import JobArtifact
    from runcrate_core.protocol.steps import Flow

    Result = Flow[dict[str, Any]]

WAIT: Final = "runcrate_wait_for_job"
# Pages of output that one call reads; a page is up to a thousand pieces.
MAX_LOG_PAGES: Final = 20
# Largest output that is fetched for an agent (bytes).
MAX_ARTIFACT_BYTES: Final = 1024**3
# A text of at most so many bytes is shown to the model, which cannot open files.
_SHOWN_BYTES: Final = 4000
_SHORT_DIGEST: Final = 8


def list_jobs(context: ToolContext, args: arguments.ListJobs) -> Result:
    """List jobs, the newest first."""
    page = yield from jobs.list_jobs(limit=args.limit, status=args.status, q=args.search)
    shown = listed(page.items, job_view, context, limit=args.limit, what="jobs")
    return {**shown, "count": len(page.items) if page.total is None else page.total}


def get_job(context: ToolContext, args: arguments.OneJob) -> Result:
    """Show a job."""
    job = yield from jobs.get(args.job_id)
    note_if_ended(context.ledger, job)
    return job_view(job, context)


def get_job_logs(context: ToolContext, args: arguments.GetJobLogs) -> Result:
    """Show the end of what a job has written."""
    text, after = "", args.after
    for _ in range(MAX_LOG_PAGES):
        page = yield from job_logs.logs(args.job_id, after=after)
        text += "".join(chunk.text for chunk in page.chunks)
        is_last = page.done or not page.chunks or page.cursor <= after
        after = max(after, page.cursor)
        if is_last:
            break
    shown, left_out = context.clean.ending(text, args.max_characters)
    return given(
        job_id=page.job_id or args.job_id,
        status=context.clean.name(page.status),
        complete=page.done,
        cursor=after,
        characters_left_out=left_out or None,
        log=untrusted(shown) or "nothing new",
        note=UNTRUSTED_NOTE if shown else None,
    )


def wait_for_job(context: ToolContext, args: arguments.WaitForJob) -> Result:
    """Wait until a job has ended; not for longer than was asked for."""
    try:
        job = yield from jobs.wait(
            args.job_id,
            timeout=args.timeout_seconds,
            poll_interval=context.poll_interval,
            on_status=context.telling(WAIT),
        )
    except APITimeoutError as error:
        if error.attempts:  # a request had no answer; it is not that the time is over
            raise
        job = yield from jobs.get(args.job_id)
        return {
            **job_view(job, context),
            "next": "It has not ended. Wait again, read its logs, or cancel it.",
        }
    note_if_ended(context.ledger, job)
    return job_view(job, context)


def list_job_artifacts(context: ToolContext, args: arguments.OneJob) -> Result:
    """List the files that a job wrote."""
    found = yield from job_artifacts.list_artifacts(args.job_id)
    return listed(found, _artifact_view, context, limit=50, what="artifacts")


def download_job_artifact(context: ToolContext, args: arguments.DownloadJobArtifact) -> Result:
    """Save a file that a job wrote in the program's folder, under a name that is made here."""
    found = yield from job_artifacts.list_artifacts(args.job_id)
    artifact = next((item for item in found if item.path == args.path), None)
    if artifact is None or context.files_dir is None:
        raise NotFoundError(
            f"The job `{args.job_id}` has no output of this path. Nothing was saved. List its "
            "outputs and take a path from there."
        )
    if (artifact.bytes or 0) > MAX_ARTIFACT_BYTES:
        raise ResponseFormatError(
            f"The output has {artifact.bytes} bytes, more than the {MAX_ARTIFACT_BYTES} that are "
            "fetched for an agent. Nothing was saved. Ask the user to download it."
        )
    target = context.files_dir / artifact_file_name(args.job_id, artifact.path)
    yield from RunInThread(partial(context.files_dir.mkdir, parents=True, exist_ok=True))
    yield from job_artifacts.download(args.job_id, artifact, to=target, limit=MAX_ARTIFACT_BYTES)
    text = yield from RunInThread(partial(_short_text, target))
    shown = None if text is None else context.clean.ending(text, _SHOWN_BYTES)[0]
    return given(
        saved_to=str(target),
        **_artifact_view(artifact, context),
        content=untrusted(shown),
        note=UNTRUSTED_NOTE if shown else None,
    )


def run_job(context: ToolContext, args: arguments.RunJob) -> Result:
    """Submit a job."""
    job = yield from context.spending.run_job(**args.model_dump(exclude_none=True))
    return {
        **job_view(job, context),
        "budget": spending_view(context),
        "next": f"It costs money until it ends. Call {WAIT}, then runcrate_get_job_logs.",
    }


def cancel_job(context: ToolContext, args: arguments.CancelJob) -> Result:
    """End a job."""
    job = yield from context.spending.cancel_job(args.job_id)
    return {**job_view(job, context), "budget": spending_view(context)}


def artifact_file_name(job_id: str, path: str) -> str:
    """Return the name under which an output is saved: plain, and its own for each output."""
    name = safe_file_name(path, "output")
    digest = hashlib.sha256(f"{job_id}/{path}".encode()).hexdigest()[:_SHORT_DIGEST]
    suffix = PurePosixPath(name).suffix
    return safe_file_name(f"{name.removesuffix(suffix)}-{digest}{suffix}")


def _artifact_view(item: JobArtifact, context: ToolContext) -> dict[str, Any]:
    # The path is what `runcrate_download_job_artifact` takes, so one that had to be cleaned
    # cannot be fetched by a model.
    return given(path=context.clean.remark(item.path), bytes=item.bytes)


def _short_text(file: Path) -> str | None:
    if file.stat().st_size > _SHOWN_BYTES:
        return None
    try:
        return file.read_bytes().decode()
    except UnicodeDecodeError:
        return None
