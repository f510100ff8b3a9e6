"""Shell commands on an instance: the line that is sent, and the result that is read back.

A command runs under `timeout` on the instance, so that it ends there whatever happens here. All
processes that it starts carry an environment variable, by which those that left its process group
are found when it has timed out. A marker at the end of the output carries the exit code: it comes
after all output of the command, also when a process in the background keeps the output open.
"""

from __future__ import annotations

import codecs
import math
import re
import shlex
from dataclasses import dataclass
from typing import Final, Literal

from runcrate_core.protocol.unicode_text import valid_text

DEFAULT_TIMEOUT_S: Final = 600.0
DEFAULT_MAX_OUTPUT: Final = 1_000_000  # bytes
# The longest lifetime of an instance, in seconds; no command runs longer.
MAX_TIMEOUT_S: Final = 604_800.0
# Linux takes at most 128 KiB as one argument; quoting may lengthen a command.
MAX_LINE_BYTES: Final = 120_000
# Seconds between the request to end (TERM) and the end (KILL).
KILL_AFTER_S: Final = 5
TIMEOUT_EXIT_CODE: Final = 124  # of `timeout`
_KILLED_EXIT_CODE: Final = 137  # of a process that was ended by KILL
_VARIABLE: Final = "RUNCRATE_COMMAND_ID"
_MARK: Final = b"\x1e"
_LONGEST_EXIT_CODE: Final = 3

Keep = Literal["start", "both"]

# Twice, as a process may start another between the search and the end of it.
_KILL: Final = (
    f'for _ in 1 2; do p=$(grep -ls "{_VARIABLE}=$3" /proc/[0-9]*/environ 2>/dev/null'
    ' | cut -d/ -f3); [ -n "$p" ] && kill -9 $p 2>/dev/null; done'
)
# $1: the command, $2: seconds, $3: its identifier.
_WRAPPER: Final = (
    f'{_VARIABLE}="$3" timeout -k {KILL_AFTER_S} "$2" bash -c "$1" </dev/null 2>&1; c=$?; '
    f"case $c in {TIMEOUT_EXIT_CODE}|{_KILLED_EXIT_CODE}) {_KILL};; esac; "
    "printf '\\036%s:%d\\036' \"$3\" $c"
)


@dataclass(frozen=True)
class CommandResult:
    """The result of a command on an instance.

    Attributes:
        output: Standard output and standard error together, in the order in which they came.
        exit_code: As the shell reports it; 124 after a timeout. `None` when the connection was
            lost in the middle: the command may have ended or may still run until its timeout.
        truncated: The output was longer than `max_output` and is not complete.
        timed_out: The command was ended because it took longer than its timeout.
    """

    output: str
    exit_code: int | None
    truncated: bool = False
    timed_out: bool = False


def command_line(command: str, *, timeout_s: float, command_id: str) -> str:
    """Return the line that runs a command with an end of its own.

    Args:
        command: A command for `bash`.
        timeout_s: Seconds until it is ended.
        command_id: Letters and digits that no other command has.

    Raises:
        ValueError: The command is empty, too long, not valid Unicode or has a NUL character, or
            the timeout is not a positive number. Nothing was run.
    """
    if not command.strip():
        raise ValueError("The command is empty. Nothing was run.")
    if "\0" in command:
        raise ValueError("The command contains a NUL character. Nothing was run.")
    if valid_text(command) != command:
        raise ValueError("The command is not valid Unicode (a lone surrogate). Nothing was run.")
    if not (math.isfinite(timeout_s) and 0 < timeout_s <= MAX_TIMEOUT_S):
        raise ValueError(
            f"`timeout` must be more than 0 and at most {MAX_TIMEOUT_S:.0f} seconds, not "
            f"{timeout_s!r}. Nothing was run."
        )
    parts = ("bash", "-c", _WRAPPER, "runcrate", command, f"{timeout_s:.3f}", command_id)
    line = f"exec {shlex.join(parts)}"
    if len(line.encode()) > MAX_LINE_BYTES:
        raise ValueError(
            f"The command is longer than {MAX_LINE_BYTES} bytes (with its quoting). Upload it as "
            "a script and run that. Nothing was run."
        )
    return line


def kill_line(command_id: str) -> str:
    """Return the line that ends all processes of a command."""
    return f"exec {shlex.join(('bash', '-c', _KILL, 'runcrate', '', '', command_id))}"


class OutputCollector:
    """Collects the output of a command up to a limit, and finds the marker at its end.

    Args:
        command_id: As in `command_line`.
        max_output: Bytes to keep.
        keep: The part to keep of a longer output: its start, or half of it from both ends.

    Attributes:
        exit_code: From the marker; `None` before it.
    """

    def __init__(self, command_id: str, max_output: int, keep: Keep = "start") -> None:
        self.exit_code: int | None = None
        self._mark = _MARK + command_id.encode() + b":"
        self._pattern = re.compile(re.escape(self._mark) + rb"(\d+)" + _MARK)
        self._held = b""  # may be the beginning of the marker
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._max_head = max_output if keep == "start" else (max_output + 1) // 2
        self._max_tail = max_output - self._max_head
        self._head = bytearray()
        self._tail = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> str:
        """Take bytes of the output; return the text that has become complete."""
        if self.exit_code is not None:
            return ""  # of a process in the background
        data = self._held + data
        found = self._pattern.search(data)
        if found is not None:
            self.exit_code = int(found.group(1))
            self._held = b""
            return self._take(data[: found.start()], is_last=True)
        start = self._start_of_mark(data)
        self._held = data[start:]
        return self._take(data[:start])

    def finish(self) -> str:
        """Take it that nothing follows; return the text that was held back."""
        held, self._held = self._held, b""
        return self._take(held, is_last=True) if self.exit_code is None else ""

    def result(self, exit_code: int | None, *, timed_out: bool = False) -> CommandResult:
        """Return the result.

        Args:
            exit_code: To use when there was no marker.
            timed_out: It was ended because of its timeout.
        """
        code = exit_code if self.exit_code is None else self.exit_code
        left_out = self._size - len(self._head) - len(self._tail)
        if left_out <= 0:
            text = bytes(self._head + self._tail).decode(errors="replace")
        else:
            text = self._head.decode(errors="ignore")
            if self._max_tail:
                tail = self._tail.decode(errors="ignore")
                text = f"{text}\n[... {left_out} bytes left out ...]\n{tail}"
        return CommandResult(
            text,
            TIMEOUT_EXIT_CODE if timed_out else code,
            truncated=left_out > 0,
            timed_out=timed_out,
        )

    def _take(self, data: bytes, *, is_last: bool = False) -> str:
        self._size += len(data)
        room = max(self._max_head - len(self._head), 0)
        self._head += data[:room]
        if self._max_tail:
            self._tail += data[room:]
            del self._tail[: max(len(self._tail) - self._max_tail, 0)]
        return self._decoder.decode(data, final=is_last)

    def _start_of_mark(self, data: bytes) -> int:
        """Return where the marker may begin; the length when it nowhere does."""
        longest = len(self._mark) + _LONGEST_EXIT_CODE + len(_MARK)
        start = data.find(_MARK, max(len(data) - longest, 0))
        while start >= 0:
            rest = data[start:]
            if self._mark.startswith(rest[: len(self._mark)]):
                return start
            start = data.find(_MARK, start + 1)
        return len(data)


def is_timeout(exit_code: int | None, elapsed_s: float, timeout_s: float) -> bool:
    """Return whether an exit code is that of `timeout` and not of the command itself.

    Args:
        exit_code: From the marker.
        elapsed_s: Seconds that passed here, which are no fewer than passed there.
        timeout_s: Seconds that the command had.
    """
    return exit_code in {TIMEOUT_EXIT_CODE, _KILLED_EXIT_CODE} and elapsed_s >= timeout_s
