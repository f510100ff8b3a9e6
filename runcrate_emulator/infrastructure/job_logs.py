"""A job's output, as far as it has been written at a moment. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from runcrate_emulator.infrastructure.job_record import Attempt, Job


@dataclass(frozen=True)
class LogChunk:
    """A fragment of a job's combined output."""

    seq: int
    at: datetime
    text: str


def log_chunks(job: Job, now: datetime) -> list[LogChunk]:
    """Everything written so far, over all attempts, numbered from 1."""
    written = [
        (at, text)
        for attempt in job.attempts
        for at, text in _lines(attempt)
        if at <= now and (attempt.ended_at is None or at <= attempt.ended_at)
    ]
    return [LogChunk(seq, at, text) for seq, (at, text) in enumerate(written, start=1)]


def _lines(attempt: Attempt) -> list[tuple[datetime, str]]:
    if attempt.started_at is None:
        return []
    return [
        (attempt.started_at + timedelta(seconds=line.at_s), line.text)
        for line in attempt.trace.lines
    ]
