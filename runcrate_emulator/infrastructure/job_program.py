"""The outcome of a job as a test decides it: `Emulator(on_job=...)`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runcrate_emulator.infrastructure.job_trace import (
    MIN_RUN_S,
    DecidedTrace,
    LogLine,
    OutputFile,
)

_EXIT_CODES = 256


@dataclass(frozen=True)
class JobRun:
    """An attempt of a job that is about to run.

    Attributes:
        command: What was submitted.
        env: Its environment variables.
        gpu_type: The GPU of its instance.
        gpu_count: How many of it.
        attempt: Which attempt it is, from 1.
        name: The job's name.
        tags: The job's tags.
        code: The archive that was uploaded for it, or None: it has none, or newer files took its
            place (see `files.MAX_KEPT_BYTES`).
    """

    command: str
    env: Mapping[str, str] = field(repr=False)
    gpu_type: str
    gpu_count: int
    attempt: int
    name: str
    tags: Mapping[str, str]
    code: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class JobOutcome:
    """Outcome of a job's command.

    Attributes:
        log: What it wrote, spread evenly over its time line by line.
        exit_code: 0 to 255; everything but 0 is a failure.
        artifacts: What it left in `$RUNCRATE_OUTPUT_DIR`, by relative path; text is kept as UTF-8.
        seconds: How long it took, on the emulated clock.
    """

    log: str = ""
    exit_code: int = 0
    artifacts: Mapping[str, str | bytes] = field(default_factory=dict)
    seconds: float = MIN_RUN_S


JobProgram = Callable[[JobRun], JobOutcome | None]
"""Decides the outcome of a job. After `None` its command is logged and succeeds, or really runs
with `run_commands=True`."""


def trace_of_outcome(outcome: JobOutcome) -> DecidedTrace:
    """Put an outcome on a time line."""
    lines = outcome.log.splitlines(keepends=True)
    seconds = max(outcome.seconds, MIN_RUN_S)
    return DecidedTrace(
        lines=tuple(
            LogLine(seconds * number / len(lines), line) for number, line in enumerate(lines)
        ),
        files=tuple(
            OutputFile(seconds, path, data.encode() if isinstance(data, str) else bytes(data))
            for path, data in sorted(outcome.artifacts.items())
        ),
        exit_code=outcome.exit_code % _EXIT_CODES,
        duration_s=seconds,
    )
