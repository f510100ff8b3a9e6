"""What a simulated command changes: files in memory, variables, the log, and the time."""

import posixpath
from dataclasses import dataclass, field

OUTPUT_DIRECTORY = "/runcrate/output"
WORKING_DIRECTORY = "/workspace"
LARGEST_FILE = 1_000_000
"""Characters; `cat a a >> a` must not grow for ever."""

_LONGEST_LOG = 1_000_000  # bytes
_LONGEST_RUN_S = 366 * 86_400.0
_FOREIGN_PROGRAM_S = 30.0
_LONGEST_SHOWN = 200  # characters of a foreign command in the log


@dataclass(frozen=True)
class Hardware:
    """The GPUs of the machine that a command runs on; none by default."""

    gpu_type: str = "CPU"
    gpu_count: int = 0
    gpu_memory_mb: int = 0


@dataclass(frozen=True)
class LogLine:
    """Output that appeared so many seconds after the start."""

    at_s: float
    text: str


@dataclass
class ShellState:
    """The state of one interpretation.

    Attributes:
        files: Time of the last writing, and text, by absolute path.
    """

    variables: dict[str, str]
    hardware: Hardware
    clock_s: float = 0.0
    directory: str = WORKING_DIRECTORY
    files: dict[str, tuple[float, str]] = field(default_factory=dict)
    lines: list[LogLine] = field(default_factory=list)
    logged_bytes: int = 0
    exit_code: int = 0
    has_exited: bool = False
    exits_on_failure: bool = False

    def log(self, text: str) -> None:
        """Write to the job's log, as far as there is room."""
        room = _LONGEST_LOG - self.logged_bytes
        if text and room > 0:
            self.lines.append(LogLine(self.clock_s, text[:room]))
            self.logged_bytes += len(text[:room].encode())

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.clock_s = min(self.clock_s + seconds, _LONGEST_RUN_S)

    def skip(self, text: str, reason: str = "") -> None:
        """Say that a foreign program was not run, and let time pass."""
        shown = " ".join(text.split())
        if len(shown) > _LONGEST_SHOWN:
            shown = shown[: _LONGEST_SHOWN - 1] + "…"
        self.log(f"[emulator] not run{reason}: {shown}\n")
        self.pass_time(_FOREIGN_PROGRAM_S)

    def absolute(self, path: str) -> str:
        """A path seen from the working directory."""
        return posixpath.normpath(posixpath.join(self.directory, path))

    def read(self, name: str) -> str | None:
        """The text of a file, or None."""
        found = self.files.get(self.absolute(name))
        return None if found is None else found[1]

    def write(self, path: str, text: str) -> int:
        """Write a file by its absolute path; the exit code of doing so."""
        if len(text) > LARGEST_FILE:
            self.log(f"{path}: No space left on device\n")
            return 1
        if path != "/dev/null":
            self.files[path] = (self.clock_s, text)
        return 0
