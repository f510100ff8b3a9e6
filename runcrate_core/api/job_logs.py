"""The output of jobs, page by page or as it is written.

Facts: the official SDK 0.5.0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from pydantic import Field

from runcrate_core.api.envelope import ApiModel, LenientModel, UtcDatetime, parse_item
from runcrate_core.api.job_types import JOB_TERMINAL_STATUSES
from runcrate_core.api.known_values import JobStatus
from runcrate_core.errors import NotFoundError, WaitTimeoutError
from runcrate_core.protocol.paging import PageData
from runcrate_core.protocol.polling import CREATION_LAG_S
from runcrate_core.protocol.request import ReadTimeout, RetrySafety, infrastructure_request
from runcrate_core.protocol.steps import Call, Flow, Now, Sleep

# The server holds a read that finds nothing new; one that returns at once is spaced out.
EMPTY_READ_GAP_S: Final = 1.0
SERVER_HOLD_S: Final = 25.0
# Reads without anything new, once the job has ended.
MAX_READS_AFTER_END: Final = 2


class JobLogChunk(LenientModel):
    """A piece of a job's output, standard output and error together.

    Attributes:
        seq: Its number; `None` on a mark where output was dropped.
        ts: When it was written.
        text: The output, with its line ends.
    """

    text: str = ""
    seq: int | None = None
    ts: UtcDatetime | None = None


class JobLogs(ApiModel):
    """A page of a job's output.

    Attributes:
        cursor: Where the next page starts: pass it as `after`.
        truncated: Whether output was dropped.
        done: Whether the job has ended and all of its output was read.
    """

    job_id: str = ""
    status: JobStatus = ""
    chunks: list[JobLogChunk] = Field(default_factory=list)
    cursor: int = 0
    truncated: bool = False
    done: bool = False


def logs(
    job_id: str, *, after: int = 0, limit: int | None = None, follow: bool = False
) -> Call[JobLogs]:
    """Return a page of a job's output.

    Args:
        job_id: Identifier.
        after: Only what comes after this: the `.cursor` of an earlier page.
        limit: Most pieces.
        follow: Whether the server waits up to 25 seconds while there is nothing new.

    Returns:
        The page.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        page = client.jobs.logs(job.id)
        print("".join(chunk.text for chunk in page.chunks))
        ```
    """
    request = infrastructure_request(
        "GET",
        "/jobs/{job_id}/logs",
        RetrySafety.SAFE,
        identifiers={"job_id": job_id},
        read_timeout=ReadTimeout.FOLLOW if follow else ReadTimeout.ORDINARY,
        query={"after": after, "limit": limit, "follow": True if follow else None},
    )
    return Call(request, parse_item(JobLogs, request))


def follow_logs(
    job_id: str, *, after: int = 0, timeout: float | None = None
) -> Flow[PageData[JobLogChunk]]:
    """Iterate over a job's output as it is written, until the job has ended and all was read.

    A connection that breaks is taken up where it broke; nothing is left out or given twice.

    Args:
        job_id: Identifier.
        after: Start after this `.cursor`, 0 for all output.
        timeout: Most seconds in all; `None` for as long as the job takes.

    Returns:
        An iterator over the pieces.

    Raises:
        ValueError: `job_id` is not an identifier; nothing was sent.
        WaitTimeoutError: The job has not ended; `.details` holds its last state and the cursor.
        NotFoundError: There is no such job in the environment.

    Example:
        ```python
        for chunk in client.jobs.follow_logs(job.id):
            print(chunk.text, end="")
        ```
    """
    logs(job_id)  # refuses an invalid identifier now, not when the iterator is first used
    return _pieces(_LogPosition(job_id, timeout, LogCursor(after)))


@dataclass(frozen=True, slots=True)
class LogCursor:
    """Place in a job's output up to which it was read.

    Attributes:
        after: The `after` of the next page.
        last_page: The pieces of the last page that had new ones.
        last_numbered: The last piece that had a number.
    """

    after: int = 0
    last_page: tuple[JobLogChunk, ...] = ()
    last_numbered: JobLogChunk | None = None

    def advance(self, page: JobLogs) -> tuple[list[JobLogChunk], LogCursor]:
        """Return the pieces of a page that were not given before, and the place behind it.

        A server may go back further than it was asked to, or never move its cursor.
        """
        moved = page.cursor > self.after
        fresh = [
            chunk
            for index, chunk in enumerate(page.chunks)
            if not (
                self._is_repeated(chunk)
                or (not moved and self.last_page[index : index + 1] == (chunk,))
            )
        ]
        numbered = [chunk for chunk in fresh if chunk.seq is not None]
        return fresh, LogCursor(
            max(self.after, page.cursor),
            tuple(page.chunks) if fresh else self.last_page,
            numbered[-1] if numbered else self.last_numbered,
        )

    def _is_repeated(self, chunk: JobLogChunk) -> bool:
        """Return whether a piece was given before the last one that has a number.

        A later attempt of the job may be numbered from the beginning: its pieces are younger.
        """
        last = self.last_numbered
        if last is None or chunk.seq is None or last.seq is None or chunk.seq > last.seq:
            return False
        return chunk.ts is None or last.ts is None or chunk.ts <= last.ts


@dataclass(frozen=True, slots=True)
class _LogPosition:
    """Position in the followed output."""

    job_id: str
    timeout: float | None
    cursor: LogCursor
    started_at: float | None = None
    pause_s: float = 0.0
    status: str | None = None
    reads_after_end: int = 0


def _pieces(here: _LogPosition) -> Flow[PageData[JobLogChunk]]:
    now = yield from Now()
    started_at = now if here.started_at is None else here.started_at
    left = math.inf if here.timeout is None else here.timeout - (now - started_at)
    if left <= 0:
        raise _took_too_long(here)
    if here.pause_s:
        yield Sleep(here.pause_s)
    try:
        page = yield from logs(here.job_id, after=here.cursor.after, follow=left > SERVER_HOLD_S)
    except NotFoundError:
        # What was just submitted may not be visible everywhere at once.
        if here.status is not None or now - started_at > CREATION_LAG_S:
            raise
        waiting = replace(here, started_at=started_at, pause_s=EMPTY_READ_GAP_S)
        return PageData((), partial(_pieces, waiting))
    # Some output may be written after the job has ended; a server that never says `done` must not
    # be asked for it for ever.
    is_over = page.status.lower() in JOB_TERMINAL_STATUSES
    fresh, cursor = here.cursor.advance(page)
    moved = cursor.after > here.cursor.after
    reads_after_end = here.reads_after_end + 1 if is_over and not moved else 0
    further = replace(
        here,
        started_at=started_at,
        cursor=cursor,
        pause_s=0.0 if page.chunks and moved else EMPTY_READ_GAP_S,
        status=page.status,
        reads_after_end=reads_after_end,
    )
    ends = page.done or reads_after_end >= MAX_READS_AFTER_END
    return PageData(fresh, None if ends else partial(_pieces, further))


def _took_too_long(here: _LogPosition) -> WaitTimeoutError:
    state = "" if here.status is None else f" (last state: `{here.status}`)"
    return WaitTimeoutError(
        f"The job `{here.job_id}` has not ended after {here.timeout:g} s{state}. It continues: "
        f"follow it again with `after={here.cursor.after}`, or cancel it.",
        details={"last": here.status, "after": here.cursor.after},
    )
