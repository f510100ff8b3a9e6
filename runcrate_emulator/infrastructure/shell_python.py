"""`python -c` as far as it can be told without running it: printing, sleeping, ending, failing.

The text is parsed and never executed. What goes beyond constants, `+`, environment variables and a
handful of calls raises `NotSimulatedError`, and the job's log says that it was not run.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

_MOST_SECONDS = 366 * 86_400.0


class NotSimulatedError(ValueError):
    """The program does more than can be told."""


@dataclass(frozen=True)
class Told:
    """One step of what a program does: text, then seconds; a code where it ends."""

    text: str = ""
    seconds: float = 0.0
    exit_code: int | None = None


def steps_of(source: str, variables: Mapping[str, str]) -> list[Told]:
    """What a program prints and how it ends.

    Args:
        source: The program.
        variables: Its environment variables.

    Raises:
        NotSimulatedError: It does more than this module understands.
    """
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [Told("SyntaxError: invalid syntax\n", exit_code=1)]
    steps: list[Told] = []
    for statement in statements:
        step = _step(statement, variables)
        if step is not None and (not steps or steps[-1].exit_code is None):
            steps.append(step)
    return steps


def _step(statement: ast.stmt, variables: Mapping[str, str]) -> Told | None:
    match statement:
        case ast.Import() | ast.ImportFrom() | ast.Pass():
            return None
        case ast.Expr(value=ast.Call() as call):
            return _called(call, variables)
        case ast.Expr(value=ast.Constant()):
            return None
        case ast.Raise(exc=ast.Call(func=ast.Name(id=name)) as call):
            values = [_value(argument, variables) for argument in call.args]
            if name == "SystemExit":
                return _ended(values)
            reason = f": {values[0]}" if values else ""
            return Told(f"Traceback (most recent call last):\n{name}{reason}\n", exit_code=1)
        case _:
            raise NotSimulatedError


def _called(call: ast.Call, variables: Mapping[str, str]) -> Told:
    values = [_value(argument, variables) for argument in call.args]
    named = {word.arg: word.value for word in call.keywords}
    name = ast.unparse(call.func)
    if name == "print" and named.keys() <= {"flush"}:
        return Told(" ".join(map(str, values)) + "\n")
    if name in ("exit", "quit", "sys.exit", "os._exit") and not named:
        return _ended(values)
    if name in ("time.sleep", "sleep") and len(values) == 1:
        (seconds,) = values
        if isinstance(seconds, int | float) and 0 <= seconds <= _MOST_SECONDS:
            return Told(seconds=float(seconds))
    raise NotSimulatedError


def _ended(values: list[object]) -> Told:
    """The end by `sys.exit`: a number is the code, a text is printed and means 1."""
    value = values[0] if values else None
    if value is None or isinstance(value, int):
        return Told(exit_code=int(value or 0) % 256)
    return Told(f"{value}\n", exit_code=1)


def _value(expression: ast.expr, variables: Mapping[str, str]) -> object:
    match expression:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _sum(_value(left, variables), _value(right, variables))
        case ast.Subscript(value=holder, slice=ast.Constant(value=str() as name)):
            if ast.unparse(holder) in ("os.environ", "environ") and name in variables:
                return variables[name]
        case ast.Call(func=function, args=[ast.Constant(value=str() as name), *default]):
            if ast.unparse(function) in ("os.environ.get", "os.getenv", "environ.get"):
                fallback = _value(default[0], variables) if default else None
                return variables.get(name, fallback)
        case ast.JoinedStr(values=parts):
            return "".join(_joined(part, variables) for part in parts)
    raise NotSimulatedError


def _sum(left: object, right: object) -> object:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left + right
    raise NotSimulatedError


def _joined(part: ast.expr, variables: Mapping[str, str]) -> str:
    if isinstance(part, ast.FormattedValue):
        if part.format_spec is not None or part.conversion != -1:
            raise NotSimulatedError
        return str(_value(part.value, variables))
    return str(_value(part, variables))
