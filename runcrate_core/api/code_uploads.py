"""Code uploads: a directory that jobs find at `/workspace/code`.

Facts: the official SDK 0.5.0. An upload can be used for 24 hours.
"""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pydantic import Field

from runcrate_core.api.envelope import ApiModel, UtcDatetime, parse_empty, parse_item
from runcrate_core.api.resources import AsyncResource, SyncResource, async_endpoint, endpoint
from runcrate_core.errors import APIStatusError
from runcrate_core.io.code_archive import CodeArchive, CodeSource, make_archive, new_archive_file
from runcrate_core.protocol.code_archive import Choice, SkippedFile
from runcrate_core.protocol.json_body import without_none
from runcrate_core.protocol.request import (
    ReadTimeout,
    Request,
    RetrySafety,
    Surface,
    infrastructure_request,
)
from runcrate_core.protocol.steps import Call, Flow, RunInThread

logger = logging.getLogger("runcrate_core")


class JobUpload(ApiModel):
    """An upload slot for a job's code.

    Attributes:
        upload_id: What a job is given it by: `code={"upload_id": upload.upload_id}`.
        url: Where to PUT the archive, without the key; `None` when it is there already.
        url_expires_at: Until when it can be put there.
        expires_at: Until when it can be used.
        max_bytes: Most bytes of an archive.
        skipped: Files that `upload` left out, each with its `.path` and `.reason`.
        unmatched: Patterns of `include` and `exclude` that matched nothing; also logged.
    """

    upload_id: str
    # Who has a signed URL may write there.
    url: str | None = Field(default=None, repr=False)
    url_expires_at: UtcDatetime | None = None
    expires_at: UtcDatetime | None = None
    max_bytes: int | None = None
    skipped: tuple[SkippedFile, ...] = ()
    unmatched: tuple[str, ...] = ()


def create(*, bytes: int, sha256: str | None = None) -> Call[JobUpload]:  # noqa: A002 - the API's name
    """Create an upload slot for an archive; `upload` does this and sends the code.

    Args:
        bytes: Length of the `.tar.gz` in bytes, at most 1 GB.
        sha256: Its checksum in hexadecimal. With it the same archive gets the same upload,
            and need not be sent twice.

    Returns:
        The place.

    Raises:
        UnprocessableEntityError: It is too large.

    Example:
        ```python
        place = client.jobs.uploads.create(bytes=len(archive), sha256=digest)
        ```
    """
    request = infrastructure_request(
        "POST",
        "/jobs/uploads",
        # The checksum is the key by which the server recognizes a retry.
        RetrySafety.NEVER if sha256 is None else RetrySafety.KEYED,
        body=without_none(bytes=bytes, sha256=sha256),
    )
    return Call(request, parse_item(JobUpload, request))


def upload(
    source: str | os.PathLike[str] | bytes,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    on_progress: Callable[[int, int], Any] | None = None,
) -> Flow[JobUpload]:
    """Upload code for jobs. Unchanged code is not sent twice.

    A directory is packed on disk, not in memory. Excluded, and listed in `.skipped`, are version
    control, caches, installed packages, links, and likely secrets: `.env`, `*.pem`,
    SSH keys and the like.

    Args:
        source: A directory, a `.tar.gz` file (taken as it is) or the bytes of one.
        include: Patterns of files to pack although they look like secrets (`config/prod.env`).
        exclude: Patterns of files and directories to leave out (`*.csv`, `data`, `./data`).
        on_progress: Called with the bytes sent and their total; with the asynchronous client
            from another thread, so it must be an ordinary function.

    Returns:
        The upload; give it to a job with `code={"upload_id": upload.upload_id}`.

    Raises:
        ValueError: It is neither a directory nor a `.tar.gz`, or more than 1 GiB; nothing was
            sent.
        OSError: It cannot be read.
        APIStatusError: The API, or the storage behind it, refused it.

    Example:
        ```python
        upload = client.jobs.uploads.upload("./my-project", exclude=["data"])
        print([file.path for file in upload.skipped])
        job = client.jobs.run(
            command="python train.py",
            gpu_type="A4000",
            max_runtime_minutes=60,
            code={"upload_id": upload.upload_id},
        )
        ```
    """
    if inspect.iscoroutinefunction(on_progress):
        raise ValueError("`on_progress` must be an ordinary function. Nothing was sent.")
    for name, patterns in (("include", include), ("exclude", exclude)):
        if isinstance(patterns, str):
            raise ValueError(f"`{name}` is a list of patterns, not a text. Nothing was sent.")  # noqa: TRY004 - one class for a bad argument
    return _upload(source, Choice(tuple(include), tuple(exclude)), on_progress)


def _upload(
    source: str | os.PathLike[str] | bytes,
    choice: Choice,
    on_progress: Callable[[int, int], Any] | None,
) -> Flow[JobUpload]:
    packed = yield from RunInThread(new_archive_file)
    try:
        archive = yield from RunInThread(partial(make_archive, source, choice, packed))
        place = yield from create(bytes=archive.bytes, sha256=archive.sha256)
        if place.url is not None:
            yield from _put(place.url, archive, on_progress)
    finally:
        # Not a step: nothing can be asked for while a cancelled flow is closed.
        packed.unlink(missing_ok=True)
    if archive.unmatched:
        logger.warning("These patterns match no file of the code: %s", ", ".join(archive.unmatched))
    return place.model_copy(update={"skipped": archive.skipped, "unmatched": archive.unmatched})


def _put(
    url: str, archive: CodeArchive, on_progress: Callable[[int, int], Any] | None
) -> Flow[None]:
    request = Request(
        surface=Surface.EXTERNAL,
        method="PUT",
        path=url,
        route="(the URL for the code)",
        retry=RetrySafety.SAFE,
        read_timeout=ReadTimeout.TRANSFER,
        content=(CodeSource(archive, on_progress),),
    )
    try:
        yield from Call(request, parse_empty(request))
    except APIStatusError as error:
        # A storage service quotes the signature of the URL in its response.
        raise type(error)(
            f"The storage behind the API refused the code with status {error.status_code}. It "
            "was not stored. Such URLs expire: upload it again.",
            status_code=error.status_code,
            attempts=error.attempts,
        ) from None


class JobUploads(SyncResource):
    """`client.jobs.uploads`."""

    create = endpoint(create)
    upload = endpoint(upload)


class AsyncJobUploads(AsyncResource):
    """`client.jobs.uploads` of the asynchronous client."""

    create = async_endpoint(create)
    upload = async_endpoint(upload)
