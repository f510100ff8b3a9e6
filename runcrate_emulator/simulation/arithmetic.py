"""Arithmetic that a text asks for, in figures or in words."""

import ast
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_LARGEST_EXPONENT: Final = 64
_LARGEST: Final = 1e100
_OPERATORS: Final[Mapping[type[ast.operator], tuple[str, Callable[[float, float], float]]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("^", operator.pow),
}
OPERATOR_WORDS: Final[Mapping[str, str]] = {
    "+": "add sum plus addition total adder",
    "-": "subtract minus difference subtraction",
    "*": "multiply times product multiplication",
    "/": "divide quotient division ratio",
    "%": "modulo mod remainder",
    "^": "power exponent exponentiate pow raise",
}
"""Words by which a tool for each operator may be called."""

_N: Final = r"(-?\d+(?:,\d{3})*(?:\.\d+)?)"
_WORDINGS: Final = (
    (re.compile(rf"{_N}\s?%\s+of\s+{_N}", re.IGNORECASE), r"(\1/100*\2)"),
    (re.compile(rf"{_N}\s+percent\s+of\s+{_N}", re.IGNORECASE), r"(\1/100*\2)"),
    (re.compile(rf"\b(?:the )?sum of {_N} and {_N}", re.IGNORECASE), r"(\1+\2)"),
    (re.compile(rf"\b(?:the )?product of {_N} and {_N}", re.IGNORECASE), r"(\1*\2)"),
    (re.compile(rf"\b(?:the )?difference (?:between|of) {_N} and {_N}", re.IGNORECASE), r"(\1-\2)"),
    (re.compile(rf"\b(?:the )?quotient of {_N} and {_N}", re.IGNORECASE), r"(\1/\2)"),
    (re.compile(rf"\badd {_N} (?:and|to) {_N}", re.IGNORECASE), r"(\1+\2)"),
    (re.compile(rf"\bsubtract {_N} from {_N}", re.IGNORECASE), r"(\2-\1)"),
    (re.compile(rf"\bmultiply {_N} (?:by|and|with) {_N}", re.IGNORECASE), r"(\1*\2)"),
    (re.compile(rf"\bdivide {_N} by {_N}", re.IGNORECASE), r"(\1/\2)"),
    (re.compile(rf"{_N} squared", re.IGNORECASE), r"(\1^2)"),
    (re.compile(r"(?<=[\d)])\s*(?:multiplied by|times|\u00d7)\s*(?=[\d(-])", re.IGNORECASE), "*"),
    (re.compile(r"(?<=[\d)])\s*x\s*(?=[\d(])"), "*"),
    (re.compile(r"(?<=[\d)])\s*(?:divided by|\u00f7)\s*(?=[\d(-])", re.IGNORECASE), "/"),
    (re.compile(r"(?<=[\d)])\s*plus\s*(?=[\d(-])", re.IGNORECASE), "+"),
    (re.compile(r"(?<=[\d)])\s*(?:minus|\u2212)\s*(?=[\d(])", re.IGNORECASE), "-"),
    (re.compile(r"(?<=[\d)])\s*to the power of\s*(?=[\d(])", re.IGNORECASE), "^"),
    (re.compile(r"(?<=\d),(?=\d{3}\b)"), ""),
)
_MOST_OPERATIONS: Final = 100
"""Operations in one expression; deeper ones would exhaust the stack."""
_LONGEST_TEXT: Final = 4000
"""Characters in which sums are looked for: nobody reckons on further pages."""
_TOO_LONG: Final = re.compile(r"\d{100,}")
"""Figures that are no quantity; they would not fit a float."""
_EXPRESSION: Final = re.compile(r"(?<![\w.])[(\-]{0,8}\d[\d\s.()+\-*/^%]*[\d)](?![\w/-])")
_CALENDAR: Final = re.compile(r"^\d{1,4}([-/])\d{1,2}\1\d{1,4}$")


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator between two numbers or operations."""

    sign: str
    left: "Operand"
    right: "Operand"

    @property
    def value(self) -> float:
        """The result.

        Raises:
            ArithmeticError: It has none, or it is too large to be useful.
        """
        left, right = _value(self.left), _value(self.right)
        if self.sign == "^" and abs(right) > _LARGEST_EXPONENT:
            raise OverflowError("The exponent is too large.")
        function = next(f for sign, f in _OPERATORS.values() if sign == self.sign)
        result = function(left, right)
        if isinstance(result, complex) or abs(result) > _LARGEST:
            raise OverflowError("The result is too large.")
        return plain(result)


Operand = Operation | float


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression found in a text: how it reads in figures, and its outermost operation."""

    text: str
    operation: Operation


def plain(value: float) -> float:
    """A whole number as `int`, any other rounded to 12 digits."""
    rounded = float(f"{value:.12g}")
    return int(rounded) if rounded.is_integer() else rounded


def expressions(text: str) -> list[Expression]:
    """The arithmetic expressions of a text, in order; dates and ranges such as `2-3` excluded."""
    text = _TOO_LONG.sub("", text[:_LONGEST_TEXT])
    for wording, written in _WORDINGS:
        text = wording.sub(written, text)
    return [found for match in _EXPRESSION.finditer(text) if (found := _expression(match[0]))]


def _expression(text: str) -> Expression | None:
    text = _balanced(text.strip())
    if _CALENDAR.match(text) or sum(sign in "+-*/^%" for sign in text) > _MOST_OPERATIONS:
        return None
    try:
        parsed = _operand(ast.parse(text.replace("^", "**"), mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(parsed, Operation):
        return None
    shown = re.sub(r"\s*([+*/^%]|(?<=[\d)\s])-)\s*", r" \1 ", text)
    return Expression(shown[1:-1] if _wrapped(shown) else shown, parsed)


def _balanced(text: str) -> str:
    while text.count("(") > text.count(")") and text.startswith("("):
        text = text[1:]
    while text.count(")") > text.count("(") and text.endswith(")"):
        text = text[:-1]
    return text


def _wrapped(text: str) -> bool:
    return text.startswith("(") and text.endswith(")") and text.count("(") == 1


def _operand(node: ast.expr) -> Operand:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return plain(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _operand(node.operand)
        return -inner if not isinstance(inner, Operation) else Operation("-", 0, inner)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        sign, _ = _OPERATORS[type(node.op)]
        return Operation(sign, _operand(node.left), _operand(node.right))
    raise ValueError("This is no arithmetic.")


def _value(operand: Operand) -> float:
    return operand.value if isinstance(operand, Operation) else operand


def operations(operand: Operand) -> Iterator[Operation]:
    """All operations of an expression, innermost first."""
    if isinstance(operand, Operation):
        yield from operations(operand.left)
        yield from operations(operand.right)
        yield operand


_RESULT: Final = re.compile(
    r"\b(?:the (?:result|output|answer|sum|product|total|difference|quotient|number|value)|it|that|"
    r"this)(?: of that)?\b",
    re.IGNORECASE,
)
_ONE_OPERAND: Final = (
    (re.compile(rf"\b(?:add|plus)\s+{_N}(?! *(?:and|to) *\d)", re.IGNORECASE), r"({0}+\1)"),
    (
        re.compile(rf"\b(?:subtract|minus|take away)\s+{_N}(?! *from *\d)", re.IGNORECASE),
        r"({0}-\1)",
    ),
    (re.compile(rf"\b(?:multiply|times) (?:by )?{_N}", re.IGNORECASE), r"({0}*\1)"),
    (re.compile(rf"\bdivide (?:by )?{_N}(?! *by *\d)", re.IGNORECASE), r"({0}/\1)"),
)


def with_result(text: str, result: float) -> str:
    """A step such as `multiply the result by 2` or `then add 5` with an earlier result in it."""
    said = _RESULT.sub(f"{result}", text)
    if said != text or expressions(text):
        return said
    for wording, written in _ONE_OPERAND:
        said = wording.sub(written.format(result), said)
    return said


def solved(text: str) -> list[tuple[str, float]]:
    """Each expression of a text with its result; those without a result left out."""
    results: list[tuple[str, float]] = []
    for found in expressions(text):
        try:
            results.append((found.text, found.operation.value))
        except ArithmeticError:
            continue
    return results
