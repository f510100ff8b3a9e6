"""The programs that a simulated command can run; each gets arguments and what is piped into it."""

import posixpath
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from runcrate_emulator.infrastructure.shell_gpu import nvidia_smi
from runcrate_emulator.infrastructure.shell_state import (
    LARGEST_FILE,
    OUTPUT_DIRECTORY,
    WORKING_DIRECTORY,
    ShellState,
)

Result: TypeAlias = tuple[int, str]
"""Exit code, and text on standard output."""

Program: TypeAlias = Callable[[ShellState, list[str], str], Result]

_COMMAND_NOT_POSSIBLE = 2
_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)")
_UNIT_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LINES = re.compile(r"-n?(\d{1,9})")
_FEW_LINES = 10  # what `head` and `tail` show unless told otherwise
_LONGEST_SEQUENCE = 10_000


def _echo(_: ShellState, arguments: list[str], __: str) -> Result:
    end, escapes = "\n", False
    while arguments and arguments[0] in ("-n", "-e", "-ne", "-en"):
        end = "" if "n" in arguments[0] else end
        escapes = escapes or "e" in arguments[0]
        arguments = arguments[1:]
    text = " ".join(arguments)
    return 0, (_unescaped(text) if escapes else text) + end


def _printf(state: ShellState, arguments: list[str], _: str) -> Result:
    if not arguments:
        return _complain(state, "printf: missing format")
    values = iter(arguments[1:])
    text = re.sub(
        r"%[sd%]",
        lambda found: "%" if found[0] == "%%" else next(values, ""),
        _unescaped(arguments[0]),
    )
    return 0, text


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t")


def _complain(state: ShellState, message: str, code: int = 1) -> Result:
    state.log(message + "\n")
    return code, ""


def _names(arguments: list[str]) -> list[str]:
    return [argument for argument in arguments if not argument.startswith("-")]


def _read(state: ShellState, program: str, names: list[str], piped: str) -> Result:
    """The text of some files, or what is piped in when none is named."""
    code, text = 0, "" if names else piped
    for name in names:
        found = state.read(name)
        if found is None:
            code, _ = _complain(state, f"{program}: {name}: No such file or directory")
        else:
            text += found
        if len(text) > LARGEST_FILE:
            break
    return code, text


def _cat(state: ShellState, arguments: list[str], piped: str) -> Result:
    return _read(state, "cat", arguments, piped)


def _tee(state: ShellState, arguments: list[str], piped: str) -> Result:
    code = 0
    for name in _names(arguments):
        before = (state.read(name) or "") if "-a" in arguments else ""
        code = state.write(state.absolute(name), before + piped) or code
    return code, piped


def _grep(state: ShellState, arguments: list[str], piped: str) -> Result:
    """Lines that hold a text; a pattern is taken literally."""
    options = "".join(argument for argument in arguments if argument.startswith("-"))
    names = _names(arguments)
    if not names:
        return _complain(state, "grep: missing pattern", _COMMAND_NOT_POSSIBLE)
    code, text = _read(state, "grep", names[1:], piped)
    wanted = names[0].casefold() if "i" in options else names[0]
    lines = text.casefold().splitlines() if "i" in options else text.splitlines()
    is_found = [(wanted in line) != ("v" in options) for line in lines]
    kept = [line for line, found in zip(text.splitlines(), is_found, strict=False) if found]
    output = f"{len(kept)}\n" if "c" in options else "".join(f"{line}\n" for line in kept)
    return code or int(not kept), "" if "q" in options else output


def _head(state: ShellState, arguments: list[str], piped: str) -> Result:
    count, names = _line_count(arguments)
    code, text = _read(state, "head", names, piped)
    return code, "".join(text.splitlines(keepends=True)[:count])


def _tail(state: ShellState, arguments: list[str], piped: str) -> Result:
    count, names = _line_count(arguments)
    code, text = _read(state, "tail", names, piped)
    lines = text.splitlines(keepends=True)
    return code, "".join(lines[max(len(lines) - count, 0) :])


def _line_count(arguments: list[str]) -> tuple[int, list[str]]:
    words = list(arguments)
    if "-n" in words[:-1]:
        at = words.index("-n")
        words[at : at + 2] = ["-n" + words[at + 1]]
    counts = [found[1] for word in words if (found := _LINES.fullmatch(word))]
    return int(counts[-1]) if counts else _FEW_LINES, _names(words)


def _wc(state: ShellState, arguments: list[str], piped: str) -> Result:
    names = _names(arguments)
    code, text = _read(state, "wc", names, piped)
    counts = {
        "-l": text.count("\n"),
        "-w": len(text.split()),
        "-c": len(text.encode()),
    }
    shown = [str(counts[a]) for a in counts if a in arguments] or map(str, counts.values())
    return code, " ".join([*shown, *names]) + "\n"


def _sort(state: ShellState, arguments: list[str], piped: str) -> Result:
    code, text = _read(state, "sort", _names(arguments), piped)
    lines = sorted(text.splitlines(), reverse="-r" in arguments)
    return code, "".join(f"{line}\n" for line in lines)


def _seq(state: ShellState, arguments: list[str], _: str) -> Result:
    try:
        bounds = [int(argument) for argument in arguments]
        first, last = (1, *bounds) if len(bounds) == 1 else bounds
    except ValueError:
        return _complain(state, "seq: needs one or two whole numbers")
    return 0, "".join(f"{number}\n" for number in range(first, last + 1)[:_LONGEST_SEQUENCE])


def _copy(state: ShellState, arguments: list[str], _: str) -> Result:
    return _transfer(state, "cp", arguments)


def _move(state: ShellState, arguments: list[str], _: str) -> Result:
    code, text = _transfer(state, "mv", arguments)
    for source in _names(arguments)[:-1]:
        state.files.pop(state.absolute(source), None)
    return code, text


def _transfer(state: ShellState, program: str, arguments: list[str]) -> Result:
    names = _names(arguments)
    if len(names) < 2:  # noqa: PLR2004 - a source and a target
        return _complain(state, f"{program}: missing file operand")
    *sources, target = names
    place = state.absolute(target)
    into_directory = (
        len(sources) > 1
        or target.endswith("/")
        or place in (OUTPUT_DIRECTORY, state.directory)
        or any(path.startswith(place + "/") for path in state.files)
    )
    code = 0
    for source in sources:
        text = state.read(source)
        if text is None:
            problem = f"{program}: cannot stat '{source}': No such file or directory"
            code, _ = _complain(state, problem)
            continue
        path = posixpath.join(place, posixpath.basename(source)) if into_directory else place
        code = state.write(path, text) or code
    return code, ""


def _touch(state: ShellState, arguments: list[str], _: str) -> Result:
    for name in arguments:
        state.write(state.absolute(name), state.read(name) or "")
    return 0, ""


def _remove(state: ShellState, arguments: list[str], _: str) -> Result:
    for name in arguments:
        state.files.pop(state.absolute(name), None)
    return 0, ""


def _list(state: ShellState, arguments: list[str], _: str) -> Result:
    names = _names(arguments)
    directory = state.absolute(names[0] if names else ".")
    entries = {
        posixpath.relpath(path, directory).split("/")[0]
        for path in state.files
        if path.startswith(directory.rstrip("/") + "/")
    }
    return 0, "".join(f"{entry}\n" for entry in sorted(entries))


def _test(state: ShellState, arguments: list[str], _: str) -> Result:
    """`test` and `[`: files, empty texts and equality."""
    match [argument for argument in arguments if argument != "]"]:
        case ["-f" | "-e", name]:
            holds = state.read(name) is not None
        case ["-s", name]:
            holds = bool(state.read(name))
        case ["-n", text] | [text]:
            holds = bool(text)
        case ["-z", text]:
            holds = not text
        case [left, "=" | "==", right]:
            holds = left == right
        case [left, "!=", right]:
            holds = left != right
        case [left, "-eq" | "-ne" | "-gt" | "-lt" | "-ge" | "-le" as relation, right]:
            return _compared(state, left, relation, right)
        case _:
            return _complain(state, "test: not understood", _COMMAND_NOT_POSSIBLE)
    return int(not holds), ""


def _compared(state: ShellState, left: str, relation: str, right: str) -> Result:
    try:
        difference = int(left) - int(right)
    except ValueError:
        return _complain(state, "test: integer expression expected", _COMMAND_NOT_POSSIBLE)
    holds = {
        "-eq": difference == 0,
        "-ne": difference != 0,
        "-gt": difference > 0,
        "-lt": difference < 0,
        "-ge": difference >= 0,
        "-le": difference <= 0,
    }
    return int(not holds[relation]), ""


def _sleep(state: ShellState, arguments: list[str], _: str) -> Result:
    for argument in arguments:
        found = _DURATION.fullmatch(argument)
        if found is None:
            return _complain(state, f"sleep: invalid time interval '{argument}'")
        state.pass_time(float(found[1]) * _UNIT_SECONDS[found[2]])
    return 0, ""


def _exit(state: ShellState, arguments: list[str], _: str) -> Result:
    state.has_exited = True
    if not arguments:
        return state.exit_code, ""
    number = arguments[0].removeprefix("-")
    if not (number.isascii() and number.isdigit()) or len(number) > len(str(2**63)):
        problem = f"exit: {arguments[0]}: numeric argument required"
        return _complain(state, problem, _COMMAND_NOT_POSSIBLE)
    return int(arguments[0]) % 256, ""


def _export(state: ShellState, arguments: list[str], _: str) -> Result:
    for argument in arguments:
        name, given, value = argument.partition("=")
        if given:
            state.variables[name] = value
    return 0, ""


def _environment(state: ShellState, arguments: list[str], _: str) -> Result:
    names = arguments or sorted(name for name in state.variables if name != "?")
    if arguments:
        values = [state.variables[name] for name in names if name in state.variables]
        return int(len(values) < len(names)), "".join(f"{value}\n" for value in values)
    return 0, "".join(f"{name}={state.variables[name]}\n" for name in names)


def _set(state: ShellState, arguments: list[str], _: str) -> Result:
    for argument in arguments:
        if argument.startswith("-") and "e" in argument:
            state.exits_on_failure = True
    return 0, ""


def _change_directory(state: ShellState, arguments: list[str], _: str) -> Result:
    state.directory = state.absolute(arguments[0]) if arguments else WORKING_DIRECTORY
    return 0, ""


def _says(code: int, text: str = "") -> Program:
    return lambda _state, _arguments, _piped: (code, text)


PROGRAMS: Mapping[str, Program] = MappingProxyType(
    {
        "echo": _echo,
        "printf": _printf,
        "cat": _cat,
        "tee": _tee,
        "grep": _grep,
        "head": _head,
        "tail": _tail,
        "wc": _wc,
        "sort": _sort,
        "seq": _seq,
        "cp": _copy,
        "mv": _move,
        "touch": _touch,
        "rm": _remove,
        "ls": _list,
        "pwd": lambda state, _arguments, _piped: (0, f"{state.directory}\n"),
        "cd": _change_directory,
        "mkdir": _says(0),
        "test": _test,
        "[": _test,
        "sleep": _sleep,
        "exit": _exit,
        "export": _export,
        "printenv": _environment,
        "set": _set,
        "whoami": _says(0, "root\n"),
        "true": _says(0),
        ":": _says(0),
        "false": _says(1),
        "nvidia-smi": lambda state, arguments, _piped: nvidia_smi(state.hardware, arguments),
    }
)
