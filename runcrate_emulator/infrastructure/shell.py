"""What an emulated job's command does: a small interpreter that touches nothing real.

It knows simple commands, pipes, `&&`, `||`, `;`, variables and redirects, and the programs of
`shell_programs`, on files in memory and the emulated clock. `python -c` is told as far as it can be
without running it. Any other program (`python train.py`) is not run: the log says so, it takes half
a minute, and it succeeds. A test that needs more decides the outcome itself (`job_program`).
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from runcrate_emulator.infrastructure.shell_programs import PROGRAMS, Result
from runcrate_emulator.infrastructure.shell_python import NotSimulatedError, steps_of
from runcrate_emulator.infrastructure.shell_state import (
    OUTPUT_DIRECTORY,
    Hardware,
    LogLine,
    ShellState,
)
from runcrate_emulator.infrastructure.shell_syntax import (
    Command,
    UnsupportedSyntaxError,
    expand,
    parse,
)

SHORTEST_RUN_S = 1.0
"""No command ends at the moment at which it began."""

_PYTHON = frozenset({"python", "python3"})
_SHELLS = frozenset({"bash", "sh"})
_DEEPEST_SHELL = 8


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


def trace_of(command: str, variables: Mapping[str, str], hardware: Hardware | None = None) -> Trace:
    """Work out what a command would do, without doing anything."""
    state = ShellState(
        {**variables, "RUNCRATE_OUTPUT_DIR": OUTPUT_DIRECTORY, "?": "0"}, hardware or Hardware()
    )
    _run(state, command)
    return Trace(
        lines=tuple(state.lines),
        files=tuple(
            OutputFile(written_at, posixpath.relpath(path, OUTPUT_DIRECTORY), text.encode())
            for path, (written_at, text) in sorted(state.files.items())
            if path.startswith(OUTPUT_DIRECTORY + "/")
        ),
        exit_code=state.exit_code,
        duration_s=max(state.clock_s, SHORTEST_RUN_S),
    )


def _run(state: ShellState, script: str, depth: int = 0) -> None:
    try:
        commands = parse(script)
    except UnsupportedSyntaxError as reason:
        state.skip(script, f" ({reason})")
        return
    is_skipped, piped = False, ""
    for number, command in enumerate(commands):
        if state.has_exited:
            return
        if command.connector != "pipe":
            failed = state.exit_code != 0
            is_skipped = {"and": failed, "or": not failed}.get(command.connector, False)
            piped = ""
        if is_skipped:
            continue
        state.exit_code, text = _one(state, command, piped, depth)
        state.variables["?"] = str(state.exit_code)
        following = commands[number + 1].connector if number + 1 < len(commands) else "always"
        if following == "pipe":
            piped = text
            continue
        state.log(text)
        if state.exit_code and state.exits_on_failure and following == "always":
            state.has_exited = True


def _one(state: ShellState, command: Command, piped: str, depth: int) -> Result:
    """Run one command; what it writes to its standard output is answered, unless redirected."""
    words = [expand(word, state.variables) for word in command.words]
    before = dict(state.variables) if words and command.assignments else None
    for name, value in command.assignments:
        state.variables[name] = expand(value, state.variables)
    if not words:
        return 0, ""
    code, text = _program(state, words, command.text, piped, depth)
    if before is not None:  # what is assigned for one command ends with it
        state.variables = before
    if command.redirect is None:
        return code, text
    path = state.absolute(expand(command.redirect.target, state.variables))
    written = state.read(path) or "" if command.redirect.appends else ""
    return state.write(path, written + text) or code, ""


def _program(state: ShellState, words: list[str], shown: str, piped: str, depth: int) -> Result:
    name, arguments = words[0], words[1:]
    match [name, *arguments]:
        case [shell, "-c" | "-lc", script] if shell in _SHELLS and depth < _DEEPEST_SHELL:
            return _inner_shell(state, script, depth)
        case [python, "-c", source] if python in _PYTHON:
            return _python(state, source, shown)
        case ["env", first, *rest] if "=" not in first:
            return _program(state, [first, *rest], shown, piped, depth)
        case ["env"]:
            return PROGRAMS["printenv"](state, [], "")
    program = PROGRAMS.get(name)
    if program is None:
        state.skip(shown)
        return 0, ""
    return program(state, arguments, piped)


def _inner_shell(state: ShellState, script: str, depth: int) -> Result:
    """A shell in the shell: `exit` ends only it."""
    state.exit_code = 0
    _run(state, script, depth + 1)
    state.has_exited = False
    return state.exit_code, ""


def _python(state: ShellState, source: str, shown: str) -> Result:
    try:
        steps = steps_of(source, state.variables)
    except NotSimulatedError:
        state.skip(shown)
        return 0, ""
    waits = any(step.seconds for step in steps)
    code, text = 0, ""
    for step in steps:
        if waits:
            state.log(step.text)
        else:
            text += step.text
        state.pass_time(step.seconds)
        code = step.exit_code or 0
    return code, text
