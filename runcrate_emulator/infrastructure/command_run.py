"""A job's command as a real process on this computer: only with `run_commands=True`.

It is no sandbox: the command may do whatever the user of this computer may do.
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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from runcrate_emulator.clock import Clock
from runcrate_emulator.infrastructure.job_record import MIN_RUN_S, LogLine, OutputFile, Trace

_MAX_LOG: Final = 1_000_000  # characters; the rest of a longer log is dropped
_MAX_OUTPUT_BYTES: Final = 100_000_000  # of all output files together; the rest is not kept
_NOT_ENDED_S: Final = 366 * 86_400.0  # longer than any time limit
_STOP_WAIT_S: Final = 5.0
_KILLED: Final = 137  # what shells report for SIGKILL
_NOT_STARTED: Final = 127
_INHERITED: Final = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")


@dataclass(kw_only=True)
class CommandRun(Trace):
    """The course of a command that really runs, in a temporary directory of its own.

    Attributes:
        env: Its environment variables; of this computer's only `PATH` and the locale are added.
        code: Uploaded `.tar.gz` archive to unpack into the directory, or None.
        limit_s: Real seconds after which the process is killed. The job's time limit on the
            emulated clock, which may be faster, ends it earlier.
    """

    command: str
    env: Mapping[str, str] = field(repr=False)
    code: bytes | None = field(repr=False)
    clock: Clock
    limit_s: float
    lines: list[LogLine] = field(default_factory=list)
    files: list[OutputFile] = field(default_factory=list)
    duration_s: float = _NOT_ENDED_S

    def __post_init__(self) -> None:
        self._started_at = self.clock.now()
        self._process: subprocess.Popen[str] | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._is_over_limit = False
        self._logged = 0

    def start(self) -> None:
        """Start the process; a thread follows it."""
        self._started_at = self.clock.now()
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
                if self.code is not None:
                    with tarfile.open(fileobj=io.BytesIO(self.code)) as archive:
                        archive.extractall(workspace, filter="data")
                self.exit_code = self._follow(workspace, output)
            except (OSError, tarfile.TarError) as error:
                self._log(f"[emulator] the command was not run: {error}\n")
                self.exit_code = _NOT_STARTED
            self._collect(output)
        if not self._is_over_limit:  # else the job times out, once the emulated limit is reached
            ran_s = (self.clock.now() - self._started_at).total_seconds()
            self.duration_s = max(round(ran_s, 6), MIN_RUN_S)

    def _follow(self, workspace: Path, output: Path) -> int:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        env = {**inherited, "HOME": str(workspace), **self.env, "RUNCRATE_OUTPUT_DIR": str(output)}
        shell = shutil.which("bash") or shutil.which("sh") or "sh"
        with subprocess.Popen(  # noqa: S603 - see the module's first sentence
            [shell, "-c", self.command],
            cwd=workspace,
            env=env,
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
            deadline = threading.Timer(self.limit_s, self._kill_over_limit)
            deadline.daemon = True
            deadline.start()
            for line in process.stdout or ():
                self._log(line)
            deadline.cancel()
            _kill(process)  # whatever it left in the background
        code = process.wait()
        return code if code >= 0 else _KILLED

    def _kill_over_limit(self) -> None:
        self._is_over_limit = True
        if self._process is not None:
            _kill(self._process)

    def _log(self, text: str) -> None:
        if self._logged < _MAX_LOG:
            at_s = (self.clock.now() - self._started_at).total_seconds()
            self.lines.append(LogLine(at_s, text[: _MAX_LOG - self._logged]))
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
            self.files.append(OutputFile(0.0, name, path.read_bytes()))


def _kill(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
