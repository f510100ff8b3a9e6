"""The part of shell syntax that an emulated job understands: words, quotes, variables, redirects.

Anything beyond it (substitution, loops, functions) raises `UnsupportedSyntaxError`, so that
the emulator can say openly that it did not run a command, instead of guessing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Connector = Literal["always", "and", "or", "pipe"]

_KEYWORDS = frozenset(
    {
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
        "function",
        "select",
        "time",
        "{",
    }
)
_TOKEN = re.compile(
    r"""
    (?P<blank>[ \t\r]+|\\\n)
  | (?P<comment>(?<![^\s;&|])\#[^\n]*)
  | (?P<end>;(?!;)|\n)
  | (?P<and>&&)
  | (?P<or>\|\|)
  | (?P<pipe>\|(?!&))
  | (?P<errors>2>&1|[12]?>&2|2>>?[ \t]*/dev/null)
  | (?P<redirect>1?>>?)
  | (?P<single>'[^']*')
  | (?P<double>"(?:[^"\\]|\\.)*")
  | (?P<escape>\\.)
  | (?P<plain>[^\s;&|<>'"\\()`]+)
    """,
    re.VERBOSE | re.DOTALL,
)
_VARIABLE = re.compile(
    r"\$(?:\{(?P<braced>[A-Za-z_]\w*|\?)(?::-(?P<default>[^{}$`\"']*))?\}|(?P<name>[A-Za-z_]\w*|\?))"
)
_ESCAPE_IN_QUOTES = re.compile(r'\\(["\\$`\n])')
_FORBIDDEN_IN_WORDS = ("$(", "`", "${")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=")


class UnsupportedSyntaxError(ValueError):
    """The command uses more of the shell than the emulator understands."""


@dataclass(frozen=True)
class Piece:
    """A part of a word; in single quotes and after a backslash nothing is expanded."""

    text: str
    expands: bool


Word = tuple[Piece, ...]


@dataclass(frozen=True)
class Redirect:
    """Where standard output goes instead."""

    target: Word
    appends: bool


@dataclass(frozen=True)
class Command:
    """One simple command, and when it runs: always, after a success or a failure, or in a pipe."""

    connector: Connector
    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirect: Redirect | None
    text: str


def parse(script: str) -> list[Command]:
    """Split a script into simple commands.

    Raises:
        UnsupportedSyntaxError: It uses more than simple commands.
    """
    commands = []
    connector: Connector = "always"
    for tokens, following, text in _statements(script):
        if tokens:
            commands.append(_command(connector, tokens, text))
        elif connector != "always" or following != "always":
            raise UnsupportedSyntaxError("a connector without a command")
        connector = following
    if connector != "always":
        raise UnsupportedSyntaxError("a connector without a command")
    return commands


def expand(word: Word, variables: Mapping[str, str]) -> str:
    """Put a word together, with the values of its variables; an unset one is empty."""
    return "".join(
        _VARIABLE.sub(
            lambda found: (
                variables.get(found["braced"] or found["name"], "") or found["default"] or ""
            ),
            piece.text,
        )
        if piece.expands
        else piece.text
        for piece in word
    )


_Token = Word | Literal[">", ">>"]
_CONNECTORS: Mapping[str, Connector] = MappingProxyType(
    {"end": "always", "and": "and", "or": "or", "pipe": "pipe"}
)


def _statements(script: str) -> Iterator[tuple[list[_Token], Connector, str]]:
    """Yield the tokens of each statement, how the next one is connected, and its text."""
    tokens: list[_Token] = []
    word: list[Piece] = []
    start = position = 0
    while position < len(script):
        found = _TOKEN.match(script, position)
        if found is None:
            raise UnsupportedSyntaxError(f"unexpected {script[position]!r}")
        kind, text = str(found.lastgroup), found.group()
        if kind in ("single", "double", "escape", "plain"):
            word.append(_piece(kind, text))
        elif word:
            tokens.append(tuple(word))
            word = []
        if kind == "redirect":
            tokens.append(">>" if text.endswith(">>") else ">")
        elif kind in ("end", "and", "or", "pipe"):
            statement = script[start:position].strip()
            yield tokens, _CONNECTORS[kind], statement
            tokens, start = [], found.end()
        position = found.end()
    if word:
        tokens.append(tuple(word))
    yield tokens, "always", script[start:].strip()


def _piece(kind: str, text: str) -> Piece:
    if kind == "single":
        return Piece(text[1:-1], expands=False)
    if kind == "escape":
        return Piece(text[1:], expands=False)
    if kind == "double":
        text = _ESCAPE_IN_QUOTES.sub(_keep_escaped, text[1:-1])
    if any(mark in _VARIABLE.sub("", text) for mark in _FORBIDDEN_IN_WORDS):
        raise UnsupportedSyntaxError("a substitution")
    return Piece(text, expands=True)


def _keep_escaped(found: re.Match[str]) -> str:
    if found[1] == "$":
        raise UnsupportedSyntaxError("an escaped dollar inside double quotes")
    return "" if found[1] == "\n" else found[1]


def _command(connector: Connector, tokens: list[_Token], text: str) -> Command:
    words: list[Word] = []
    redirect: Redirect | None = None
    pending: str | None = None
    for token in tokens:
        if isinstance(token, str):
            if pending is not None or redirect is not None:
                raise UnsupportedSyntaxError("two redirects")
            pending = token
        elif pending is not None:
            redirect, pending = Redirect(token, appends=pending == ">>"), None
        else:
            words.append(token)
    if pending is not None:
        raise UnsupportedSyntaxError("a redirect without a file")
    assignments = []
    while words and (assignment := _assignment(words[0])) is not None:
        assignments.append(assignment)
        words.pop(0)
    if words and words[0][0].text in _KEYWORDS:
        raise UnsupportedSyntaxError(f"the keyword `{words[0][0].text}`")
    return Command(connector, tuple(assignments), tuple(words), redirect, text)


def _assignment(word: Word) -> tuple[str, Word] | None:
    first = word[0]
    found = _ASSIGNMENT.match(first.text) if first.expands else None
    if found is None:
        return None
    return found[1], (Piece(first.text[found.end() :], expands=True), *word[1:])
