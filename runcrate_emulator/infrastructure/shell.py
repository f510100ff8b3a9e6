"""What an emulated job's command does: a small interpreter that touches nothing real.

`echo`, `printf`, `cat`, `cp`, `mkdir`, `sleep` (on the emulated clock), `exit`, variables and
redirects work on files in memory. A program that the emulator does not have (`python train.py`) is
not run: the log says so, it takes half a minute, and it succeeds.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from runcrate_emulator.infrastructure.shell_syntax import (
    Command,
    UnsupportedSyntaxError,
    expand,
    parse,
)

OUTPUT_DIRECTORY = "/runcrate/output"
_WORKING_DIRECTORY = "/workspace"
_FOREIGN_PROGRAM_S = 30.0
_SHORTEST_RUN_S = 1.0  # no command ends at the moment at which it began
_LONGEST_SHOWN = 200  # characters of a foreign command in the log
_LARGEST_FILE = 1_000_000  # bytes; `cat a a >> a` must not grow for ever
_LONGEST_LOG = 1_000_000  # bytes
_COMMAND_NOT_POSSIBLE = 2
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)")
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_SLEEP_S = 366 * 86_400.0


@dataclass(frozen=True)
class LogLine:
    """Output that appeared so many seconds after the start."""

    at_s: float
    text: str


@dataclass(frozen=True)
class OutputFile:
    """A file below `$RUNCRATE_OUTPUT_DIR`, with its path relative to it, as last written."""

    at_s: float
    path: str
    content: bytes


@dataclass(frozen=True)
class Trace:
    """Everything that a command does, on a time line that starts at 0."""

    lines: tuple[LogLine, ...]
    files: tuple[OutputFile, ...]
    exit_code: int
    duration_s: float


def trace_of(command: str, variables: Mapping[str, str]) -> Trace:
    """Work out what a command would do, without doing anything."""
    run = _Run({**variables, "RUNCRATE_OUTPUT_DIR": OUTPUT_DIRECTORY, "?": "0"})
    try:
        commands = parse(command)
    except UnsupportedSyntaxError as reason:
        run.skip(command, f" ({reason})")
    else:
        run.all(commands)
    return Trace(
        lines=tuple(run.lines),
        files=tuple(
            OutputFile(written_at, posixpath.relpath(path, OUTPUT_DIRECTORY), text.encode())
            for path, (written_at, text) in sorted(run.files.items())
            if path.startswith(OUTPUT_DIRECTORY + "/")
        ),
        exit_code=run.exit_code,
        duration_s=max(run.clock_s, _SHORTEST_RUN_S),
    )


@dataclass
class _Run:
    """The state of one interpretation."""

    variables: dict[str, str]
    clock_s: float = 0.0
    directory: str = _WORKING_DIRECTORY
    files: dict[str, tuple[float, str]] = field(default_factory=dict)
    lines: list[LogLine] = field(default_factory=list)
    logged_bytes: int = 0
    exit_code: int = 0
    has_exited: bool = False
    exits_on_failure: bool = False

    def all(self, commands: list[Command]) -> None:
        for command in commands:
            if self.has_exited:
                return
            skips = {"always": False, "and": self.exit_code != 0, "or": self.exit_code == 0}
            if skips[command.connector]:
                continue
            self.exit_code = self._one(command)
            self.variables["?"] = str(self.exit_code)
            if self.exit_code and self.exits_on_failure:
                self.has_exited = True

    def skip(self, text: str, reason: str = "") -> int:
        """Say that a foreign program was not run, and let time pass."""
        shown = " ".join(text.split())
        if len(shown) > _LONGEST_SHOWN:
            shown = shown[: _LONGEST_SHOWN - 1] + "…"
        self.log(f"[emulator] not run{reason}: {shown}\n")
        self.clock_s += _FOREIGN_PROGRAM_S
        return 0

    def log(self, text: str) -> None:
        room = _LONGEST_LOG - self.logged_bytes
        if text and room > 0:
            self.lines.append(LogLine(self.clock_s, text[:room]))
            self.logged_bytes += len(text[:room].encode())

    def write(self, path: str, text: str) -> int:
        if len(text) > _LARGEST_FILE:
            self.log(f"{path}: No space left on device\n")
            return 1
        self.files[path] = (self.clock_s, text)
        return 0

    def absolute(self, path: str) -> str:
        return posixpath.normpath(posixpath.join(self.directory, path))

    def _one(self, command: Command) -> int:
        for name, value in command.assignments:
            self.variables[name] = expand(value, self.variables)
        words = [expand(word, self.variables) for word in command.words]
        if not words:
            return 0
        program = _PROGRAMS.get(words[0])
        if program is None:
            return self.skip(command.text)
        result = program(self, words[1:])
        code, text = (result, "") if isinstance(result, int) else result
        if command.redirect is None:
            self.log(text)
            return code
        path = self.absolute(expand(command.redirect.target, self.variables))
        if path == "/dev/null":
            return code
        before = self.files.get(path, (0.0, ""))[1] if command.redirect.appends else ""
        return self.write(path, before + text) or code


_Result = int | tuple[int, str]


def _echo(_: _Run, arguments: list[str]) -> _Result:
    end, escapes = "\n", False
    while arguments and arguments[0] in ("-n", "-e", "-ne", "-en"):
        end = "" if "n" in arguments[0] else end
        escapes = escapes or "e" in arguments[0]
        arguments = arguments[1:]
    text = " ".join(arguments)
    return 0, (_unescaped(text) if escapes else text) + end


def _printf(run: _Run, arguments: list[str]) -> _Result:
    if not arguments:
        run.log("printf: missing format\n")
        return 1
    values = iter(arguments[1:])
    text = re.sub(
        r"%[sd%]",
        lambda found: "%" if found[0] == "%%" else next(values, ""),
        _unescaped(arguments[0]),
    )
    return 0, text


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t")


def _cat(run: _Run, arguments: list[str]) -> _Result:
    code, text = 0, ""
    for name in arguments:
        found = run.files.get(run.absolute(name))
        if found is None:
            run.log(f"cat: {name}: No such file or directory\n")
            code = 1
        else:
            text += found[1]
        if len(text) > _LARGEST_FILE:
            break
    return code, text


def _copy(run: _Run, arguments: list[str]) -> _Result:
    names = [name for name in arguments if not name.startswith("-")]
    if len(names) < 2:  # noqa: PLR2004 - a source and a target
        run.log("cp: missing file operand\n")
        return 1
    *sources, target = names
    into_directory = (
        len(sources) > 1
        or target.endswith("/")
        or run.absolute(target)
        in (
            OUTPUT_DIRECTORY,
            run.directory,
        )
    )
    code = 0
    for source in sources:
        found = run.files.get(run.absolute(source))
        if found is None:
            run.log(f"cp: cannot stat '{source}': No such file or directory\n")
            code = 1
            continue
        path = run.absolute(target)
        if into_directory:
            path = posixpath.join(path, posixpath.basename(source))
        code = run.write(path, found[1]) or code
    return code


def _touch(run: _Run, arguments: list[str]) -> _Result:
    for name in arguments:
        path = run.absolute(name)
        run.write(path, run.files.get(path, (0.0, ""))[1])
    return 0


def _remove(run: _Run, arguments: list[str]) -> _Result:
    for name in arguments:
        run.files.pop(run.absolute(name), None)
    return 0


def _list(run: _Run, arguments: list[str]) -> _Result:
    names = [name for name in arguments if not name.startswith("-")]
    directory = run.absolute(names[0] if names else ".")
    entries = {
        posixpath.relpath(path, directory).split("/")[0]
        for path in run.files
        if path.startswith(directory.rstrip("/") + "/")
    }
    return 0, "".join(f"{entry}\n" for entry in sorted(entries))


def _sleep(run: _Run, arguments: list[str]) -> _Result:
    seconds = 0.0
    for argument in arguments:
        found = _DURATION.fullmatch(argument)
        if found is None:
            run.log(f"sleep: invalid time interval '{argument}'\n")
            return 1
        seconds += float(found[1]) * _UNIT_SECONDS[found[2]]
    run.clock_s = min(run.clock_s + seconds, _LONGEST_SLEEP_S)
    return 0


def _exit(run: _Run, arguments: list[str]) -> _Result:
    run.has_exited = True
    if not arguments:
        return run.exit_code
    number = arguments[0].removeprefix("-")
    if not (number.isascii() and number.isdigit()) or len(number) > len(str(2**63)):
        run.log(f"exit: {arguments[0]}: numeric argument required\n")
        return _COMMAND_NOT_POSSIBLE
    return int(arguments[0]) % 256


def _export(run: _Run, arguments: list[str]) -> _Result:
    for argument in arguments:
        name, given, value = argument.partition("=")
        if given:
            run.variables[name] = value
    return 0


def _set(run: _Run, arguments: list[str]) -> _Result:
    for argument in arguments:
        if argument.startswith("-") and "e" in argument:
            run.exits_on_failure = True
    return 0


def _change_directory(run: _Run, arguments: list[str]) -> _Result:
    run.directory = run.absolute(arguments[0]) if arguments else _WORKING_DIRECTORY
    return 0


def _nvidia_smi(run: _Run, _: list[str]) -> _Result:
    return 0, f"GPU 0: {run.variables.get('RUNCRATE_GPU', 'GPU')} (emulated)\n"


def _code(code: int) -> Callable[[_Run, list[str]], _Result]:
    return lambda _run, _arguments: code


_PROGRAMS: Mapping[str, Callable[[_Run, list[str]], _Result]] = MappingProxyType(
    {
        "echo": _echo,
        "printf": _printf,
        "cat": _cat,
        "cp": _copy,
        "touch": _touch,
        "rm": _remove,
        "ls": _list,
        "pwd": lambda run, _: (0, f"{run.directory}\n"),
        "cd": _change_directory,
        "mkdir": _code(0),
        "sleep": _sleep,
        "exit": _exit,
        "export": _export,
        "set": _set,
        "true": _code(0),
        ":": _code(0),
        "false": _code(1),
        "nvidia-smi": _nvidia_smi,
    }
)
