"""Timeline of a job attempt, starting at 0."""

from collections.abc import Sequence
from dataclasses import dataclass

MIN_RUN_S = 1.0
"""No command ends at the moment at which it started."""


@dataclass(frozen=True)
class LogLine:
    """Output, so many seconds after the start."""

    at_s: float
    text: str


@dataclass(frozen=True)
class OutputFile:
    """A file in `$RUNCRATE_OUTPUT_DIR`, by its path relative to it."""

    at_s: float
    path: str
    content: bytes


@dataclass
class Trace:
    """The course of an attempt: decided at its launch, or followed while a command runs.

    Attributes:
        lines: The log.
        files: The output files.
        exit_code: The exit code; 0 as long as there is none.
        duration_s: Emulated seconds that it takes.
    """

    lines: Sequence[LogLine] = ()
    files: Sequence[OutputFile] = ()
    exit_code: int = 0
    duration_s: float = MIN_RUN_S

    def start(self) -> None:
        """Start, as the instance runs; nothing runs in a decided course."""

    def stop(self) -> None:
        """Stop, as the attempt has ended for whatever reason."""
