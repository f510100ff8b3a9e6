"""Courses of job attempts: decided by `Emulator(on_job=...)`, logged, or commands that really run.

A command really runs only with `run_commands=True`, as a process on this computer. It is not a
sandbox: the command may do whatever the user of this computer may do.
"""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from runcrate_emulator.clock import Clock
from runcrate_emulator.infrastructure.catalogue import InstanceType
from runcrate_emulator.infrastructure.job_record import MIN_RUN_S, Job, Trace
from runcrate_emulator.world import World

_EXIT_CODES = 256
# Python before 3.11.4 has no filter; the commands have the rights of their user anyway.
_EXTRACTION: Final[Mapping[str, Any]] = (
    {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
)


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
    run = JobRun(
        command=job.spec.command,
        env=MappingProxyType(variables),
        gpu_type=kind.gpu_type,
        gpu_count=kind.gpu_count,
        attempt=number,
        name=job.name,
        tags=MappingProxyType(dict(job.spec.tags)),
        code=stored.data if stored else None,
    )
    outcome: JobOutcome | None = None
    if world.on_job is not None:
        try:
            outcome = world.on_job(run)
        except Exception as crash:  # noqa: BLE001 - the program of a test; the world must go on
            world.crashes.append(crash)
            outcome = JobOutcome(f"[emulator] on_job raised {type(crash).__name__}\n", exit_code=1)
    if outcome is not None:
        return _trace_of_outcome(outcome)
    if world.settings.run_commands:
        limit_s = job.spec.max_runtime_minutes * 60.0
        return CommandRun(run, world.clock, limit_s)
    line = f"[emulator] not run: {job.spec.command}\n"
    return Trace([(0.0, line)], duration_s=_UNDECIDED_RUN_S)


def _trace_of_outcome(outcome: JobOutcome) -> Trace:
    """Put an outcome on a time line."""
    lines = outcome.log.splitlines(keepends=True)
    seconds = max(outcome.seconds, MIN_RUN_S)
    return Trace(
        lines=[(seconds * number / len(lines), line) for number, line in enumerate(lines)],
        files=[
            (seconds, path, data.encode() if isinstance(data, str) else bytes(data))
            for path, data in outcome.artifacts.items()
        ],
        exit_code=outcome.exit_code % _EXIT_CODES,
        duration_s=seconds,
    )


_MAX_LOG: Final = 1_000_000  # characters; the rest of a longer log is dropped
_MAX_OUTPUT_BYTES: Final = 100_000_000  # of all output files together; the rest is not kept
_NOT_ENDED_S: Final = 366 * 86_400.0  # longer than any time limit
_STOP_WAIT_S: Final = 5.0
_KILLED: Final = 137  # what shells report for SIGKILL
_NOT_STARTED: Final = 127
_INHERITED: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")


class CommandRun(Trace):
    """The course of a command that really runs, in a temporary directory of its own.

    Args:
        run: The command, its variables (of this computer's only `PATH` and the locale are added),
            and the `.tar.gz` archive of code to unpack into the directory.
        clock: The emulated clock, by which its log is timed.
        limit_s: Real seconds after which the process is killed. The job's time limit on the
            emulated clock, which may be faster, ends it earlier.
    """

    def __init__(self, run: JobRun, clock: Clock, limit_s: float) -> None:
        super().__init__(duration_s=_NOT_ENDED_S)
        self._job, self._clock, self._limit_s = run, clock, limit_s
        self._started_at = clock.now()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._logged = 0

    def start(self) -> None:
        """Start the process; a thread follows it."""
        self._started_at = self._clock.now()
        self._thread = threading.Thread(target=self._run, name="runcrate-emulator-job", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Kill the process and everything that it started; harmless when it has ended."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:
            _kill(self._process)
        if self._thread is not None:
            self._thread.join(_STOP_WAIT_S)

    def _run(self) -> None:
        with tempfile.TemporaryDirectory(
            prefix="runcrate-job-", ignore_cleanup_errors=True
        ) as name:
            workspace, output = Path(name, "workspace"), Path(name, "output")
            workspace.mkdir()
            output.mkdir()
            try:
                if self._job.code is not None:
                    with tarfile.open(fileobj=io.BytesIO(self._job.code)) as archive:
                        archive.extractall(workspace, **_EXTRACTION)  # noqa: S202 - with a filter, see there
                self.exit_code = self._follow(workspace, output)
            except (OSError, tarfile.TarError) as error:
                self._log(f"[emulator] the command was not run: {error}\n")
                self.exit_code = _NOT_STARTED
            self._collect(output)
        ran_s = (self._clock.now() - self._started_at).total_seconds()
        self.duration_s = max(round(ran_s, 6), MIN_RUN_S)

    def _follow(self, workspace: Path, output: Path) -> int:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        own = {"HOME": str(workspace), **self._job.env, "RUNCRATE_OUTPUT_DIR": str(output)}
        shell = shutil.which("bash") or shutil.which("sh") or "sh"
        with subprocess.Popen(  # noqa: S603 - see the module's first sentence
            [shell, "-c", self._job.command],
            cwd=workspace,
            env=inherited | own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self._process = process
            if self._stopped.is_set():
                _kill(process)
            deadline = threading.Timer(self._limit_s, _kill, (process,))
            deadline.daemon = True
            deadline.start()
            for line in process.stdout or ():
                self._log(line)
            deadline.cancel()
            _kill(process)  # whatever it left in the background
        code = process.wait()
        return code if code >= 0 else _KILLED

    def _log(self, text: str) -> None:
        if self._logged < _MAX_LOG:
            at_s = (self._clock.now() - self._started_at).total_seconds()
            self.lines.append((at_s, text[: _MAX_LOG - self._logged]))
            self._logged += len(text)

    def _collect(self, output: Path) -> None:
        left = _MAX_OUTPUT_BYTES
        for path in sorted(output.rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            left -= path.stat().st_size
            if left < 0:
                self._log("[emulator] more output files than are kept; the rest was dropped\n")
                return
            name = path.relative_to(output).as_posix()
            self.files.append((0.0, name, path.read_bytes()))


def _kill(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
