"""Job artifacts: the files that a command wrote to `$RUNCRATE_OUTPUT_DIR`.

Facts: the official SDK 0.5.0. They are kept for 30 days after the end of the job.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from runcrate_core.api.envelope import ApiModel, parse_list
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.protocol.attempts import attempts
from runcrate_core.protocol.downloads import download_flow
from runcrate_core.protocol.identifiers import artifact_path, path_segment
from runcrate_core.protocol.request import (
    ReadTimeout,
    Request,
    RetrySafety,
    Surface,
    infrastructure_request,
    json_request,
)
from runcrate_core.protocol.response import Response, TransportFailure, malformed
from runcrate_core.protocol.steps import (
    Call,
    Flow,
    GetRunner,
    RunInThread,
    Send,
    Step,
    StreamedResponse,
)
from runcrate_core.protocol.transfer import DEFAULT_LIMIT

_REDIRECTS: Final = range(300, 400)


class JobArtifact(ApiModel):
    """An output of a job.

    Attributes:
        path: Path below the job's output directory.
        bytes: Length in bytes.
        sha256: Checksum in hexadecimal.
    """

    path: str
    bytes: int | None = None
    sha256: str | None = None


def list_artifacts(job_id: str) -> Call[list[JobArtifact]]:
    """List the outputs of a job, by path.

    Args:
        job_id: Identifier.

    Returns:
        All of them; the API does not page them.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        for artifact in client.jobs.artifacts.list(job.id):
            print(artifact.path, artifact.bytes)
        ```
    """
    request = infrastructure_request(
        "GET", "/jobs/{job_id}/artifacts", RetrySafety.SAFE, identifiers={"job_id": job_id}
    )
    return Call(request, parse_list(JobArtifact, request))


def url(job_id: str, path: str) -> Flow[str]:
    """Return a signed URL of an output, valid for an hour without a key.

    Args:
        job_id: Identifier.
        path: The output's path.

    Returns:
        A signed URL: no key is needed with it, so keep it out of logs.

    Raises:
        ValueError: `job_id` or `path` is none; nothing was sent.
        NotFoundError: There is no such output.

    Example:
        ```python
        url = client.jobs.artifacts.url(job.id, "model.pt")
        ```
    """
    return _signed_url(_request(job_id, path))


def download(
    job_id: str,
    path: str | JobArtifact,
    *,
    to: str | os.PathLike[str] | None = None,
    limit: int = DEFAULT_LIMIT,
    on_progress: Callable[[int, int | None], Any] | None = None,
) -> Flow[bytes | Path]:
    """Download an output. An existing file is replaced only by a verified one.

    Its length and its checksum are compared with those of `list`, and a connection that is cut is
    gone on with. The key is not sent to the storage that holds the output.

    Args:
        job_id: Identifier.
        path: The output: an entry of `list`, or its path.
        to: The file to write; its directory must exist.
        limit: Most bytes to take; 2 GiB when not given.
        on_progress: Called with the bytes done and their total (`None` while it is unknown).

    Returns:
        `to` as a path; without `to`, the bytes of the output.

    Raises:
        ValueError: `job_id` or `path` is none; nothing was sent.
        OSError: The file cannot be written.
        NotFoundError: There is no such output.
        ResponseFormatError: It is larger than `limit`, or not what `list` says; nothing was kept.
        APIConnectionError: It was cut too often; nothing was kept.

    Example:
        ```python
        for artifact in client.jobs.artifacts.list(job.id):
            client.jobs.artifacts.download(job.id, artifact, to=artifact.path.replace("/", "_"))
        ```
    """
    name = path.path if isinstance(path, JobArtifact) else path
    request = _request(job_id, name)
    known = path if isinstance(path, JobArtifact) else None
    return _download(request, job_id, name, known, to, limit, on_progress)


def _download(
    request: Request,
    job_id: str,
    path: str,
    known: JobArtifact | None,
    to: str | os.PathLike[str] | None,
    limit: int,
    on_progress: Callable[[int, int | None], Any] | None,
) -> Flow[bytes | Path]:
    if known is None:
        listed = yield from list_artifacts(job_id)
        known = next((artifact for artifact in listed if artifact.path == path), None)
    known = known or JobArtifact(path=path)
    fetch = partial(
        download_flow,
        request,
        sha256=known.sha256,
        size=known.bytes,
        limit=limit,
        on_progress=on_progress,
    )
    if to is not None:
        return (yield from fetch(target=Path(to)))
    with TemporaryDirectory(prefix="runcrate-") as directory:
        file = yield from fetch(target=Path(directory, "artifact"))
        return (yield from RunInThread(file.read_bytes))


def _request(job_id: str, path: str) -> Request:
    return json_request(
        Surface.INFRASTRUCTURE,
        "GET",
        f"/jobs/{path_segment(job_id, 'job_id')}/artifacts/{artifact_path(path, 'path')}",
        route="/jobs/{job_id}/artifacts/{path}",
        retry=RetrySafety.SAFE,
        read_timeout=ReadTimeout.TRANSFER,
    )


def _signed_url(request: Request) -> Flow[str]:
    context = (yield from GetRunner()).context
    reply = yield from attempts(request, context, _redirect_of)
    location = reply.headers.get("location", "")
    if reply.status not in _REDIRECTS or not location:
        response = Response(reply.status, reply.headers)
        raise malformed(response, request, "it does not redirect to the output")
    return location


def _redirect_of(
    request: Request,
) -> Generator[Step, Any, Response | TransportFailure | StreamedResponse]:
    """Exchange a request whose success is a redirect."""
    reply: Response | TransportFailure = yield Send(request)
    if isinstance(reply, Response) and reply.status in _REDIRECTS:
        return StreamedResponse(reply.status, dict(reply.headers), None)
    return reply


class JobArtifacts(SyncResource):
    """`client.jobs.artifacts`."""

    list = endpoint(list_artifacts)
    url = endpoint(url)
    download = endpoint(download)


class AsyncJobArtifacts(AsyncResource):
    """`client.jobs.artifacts` of the asynchronous client."""

    list = async_endpoint(list_artifacts)
    url = async_endpoint(url)
    download = async_endpoint(download)
