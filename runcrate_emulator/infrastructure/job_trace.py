"""Timeline of a job attempt, starting at 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Trace(Protocol):
    """The course of an attempt: decided at its launch, or followed while a command runs."""

    @property
    def lines(self) -> Sequence[LogLine]:
        """The log."""

    @property
    def files(self) -> Sequence[OutputFile]:
        """The output files."""

    @property
    def exit_code(self) -> int:
        """The exit code; 0 as long as there is none."""

    @property
    def duration_s(self) -> float:
        """Emulated seconds that it takes."""

    def start(self) -> None:
        """Start: the instance runs."""

    def stop(self) -> None:
        """Stop: the attempt has ended, for whatever reason."""


@dataclass(frozen=True)
class DecidedTrace:
    """A course that is known before it starts."""

    lines: tuple[LogLine, ...]
    files: tuple[OutputFile, ...] = ()
    exit_code: int = 0
    duration_s: float = MIN_RUN_S

    def start(self) -> None:
        """Nothing runs."""

    def stop(self) -> None:
        """Nothing runs."""
