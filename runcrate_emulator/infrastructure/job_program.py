"""The outcome of a job as a test decides it: `Emulator(on_job=...)`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from runcrate_emulator.infrastructure.catalogue import InstanceType
from runcrate_emulator.infrastructure.command_run import CommandRun
from runcrate_emulator.infrastructure.job_record import (
    MIN_RUN_S,
    Job,
    LogLine,
    OutputFile,
    Trace,
)
from runcrate_emulator.world import World

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


_UNDECIDED_RUN_S = 30.0  # of a command that nobody decides; long enough to be seen running


def trace_of_attempt(world: World, job: Job, kind: InstanceType, number: int) -> Trace:
    """Return the course of an attempt: `on_job` decides it, else the command runs or succeeds."""
    variables = {
        **dict.fromkeys(world.secrets.get(job.environment_id, {}), "(a secret)"),
        "RUNCRATE_GPU": kind.gpu_type,
        "RUNCRATE_JOB_ID": job.id,
        "RUNCRATE_JOB_INDEX": str(job.job_index),
        **job.spec.env,  # a value of the job wins over a secret
    }
    sent = job.spec.code and world.uploads.get(job.spec.code.upload_id or "")
    stored = sent and sent.file_id and world.media.get(sent.file_id)  # as long as it is kept
    code = stored.data if stored else None
    outcome: JobOutcome | None = None
    if world.on_job is not None:
        run = JobRun(
            command=job.spec.command,
            env=MappingProxyType(variables),
            gpu_type=kind.gpu_type,
            gpu_count=kind.gpu_count,
            attempt=number,
            name=job.name,
            tags=MappingProxyType(dict(job.spec.tags)),
            code=code,
        )
        try:
            outcome = world.on_job(run)
        except Exception as crash:  # noqa: BLE001 - the program of a test; the world must go on
            world.crashes.append(crash)
            outcome = JobOutcome(f"[emulator] on_job raised {type(crash).__name__}\n", exit_code=1)
    if outcome is not None:
        return _trace_of_outcome(outcome)
    if world.settings.run_commands:
        limit_s = job.spec.max_runtime_minutes * 60.0
        return CommandRun(
            command=job.spec.command, env=variables, code=code, clock=world.clock, limit_s=limit_s
        )
    line = LogLine(0.0, f"[emulator] not run: {job.spec.command}\n")
    return Trace((line,), duration_s=_UNDECIDED_RUN_S)


def _trace_of_outcome(outcome: JobOutcome) -> Trace:
    """Put an outcome on a time line."""
    lines = outcome.log.splitlines(keepends=True)
    seconds = max(outcome.seconds, MIN_RUN_S)
    return Trace(
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
