"""The course of an attempt of a job, decided at its launch."""

from types import MappingProxyType

from runcrate_emulator.infrastructure.catalogue import InstanceType
from runcrate_emulator.infrastructure.command_run import CommandRun
from runcrate_emulator.infrastructure.job_program import JobOutcome, JobRun, trace_of_outcome
from runcrate_emulator.infrastructure.job_record import Job
from runcrate_emulator.infrastructure.job_trace import DecidedTrace, LogLine, Trace
from runcrate_emulator.workspace import Workspace

_UNDECIDED_RUN_S = 30.0  # of a command that nobody decides; long enough to be seen running


def trace_of_attempt(world: Workspace, job: Job, kind: InstanceType, number: int) -> Trace:
    """Return the course of an attempt: `on_job` decides it, else the command runs or succeeds."""
    variables = _variables(world, job, kind)
    code = _uploaded(world, job)
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
        return trace_of_outcome(outcome)
    if world.run_commands:
        limit_s = job.spec.max_runtime_minutes * 60.0
        return CommandRun(job.spec.command, variables, code, world.clock, limit_s)
    line = LogLine(0.0, f"[emulator] not run: {job.spec.command}\n")
    return DecidedTrace((line,), duration_s=_UNDECIDED_RUN_S)


def _variables(world: Workspace, job: Job, kind: InstanceType) -> dict[str, str]:
    """The environment variables of the command; a value of the job wins over a secret."""
    secrets = world.secrets.get(job.environment_id, {})
    return {
        **dict.fromkeys(secrets, "(a secret)"),
        "RUNCRATE_GPU": kind.gpu_type,
        "RUNCRATE_JOB_ID": job.id,
        "RUNCRATE_JOB_INDEX": str(job.job_index),
        **job.spec.env,
    }


def _uploaded(world: Workspace, job: Job) -> bytes | None:
    """The archive of the job's code, as long as it is kept."""
    code = job.spec.code
    upload = None if code is None else world.uploads.get(code.upload_id or "")
    stored = world.media.get(upload.file_id) if upload is not None and upload.file_id else None
    return None if stored is None else stored.data
