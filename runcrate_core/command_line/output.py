"""Output of the command: tables for people, JSON for programs, and questions before an end."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from runcrate_core.agent_tools.untrusted_text import Sanitizer
from runcrate_core.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

_PLAIN: Final = Sanitizer()


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json` to a command."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Add `--yes` to a command."""
    parser.add_argument("--yes", action="store_true", help="do not ask")


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, empty: str) -> None:
    """Print rows as a table or as JSON; text of the service is shown on one line, sanitized.

    Args:
        rows: Values by column; every row has the same columns.
        as_json: Print JSON.
        empty: Sentence for an empty table.
    """
    if as_json:
        print(json.dumps([dict(row) for row in rows], indent=2, default=str))  # noqa: T201 - a command's output
        return
    if not rows:
        print(empty)  # noqa: T201 - a command's output
        return
    cells = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        print("  ".join(map(str.ljust, line, widths)).rstrip())  # noqa: T201 - a command's output


def _cell(value: Any) -> str:
    return "-" if value is None else _PLAIN.name(str(value)) or "-"


def confirm(question: str, *, yes: bool) -> bool:
    """Ask a person on standard error, and return whether the answer is yes; its end is a no.

    Args:
        question: The question, without its mark.
        yes: `--yes` was given: nobody is asked.

    Raises:
        ConfigurationError: Nobody can be asked, as the input is not a terminal.
    """
    if yes:
        return True
    # Of its names none may move the cursor, colour or continue on another line.
    question = " ".join(_PLAIN.excerpt(question, len(question)).split())
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigurationError(
            f"{question}? The input is not a terminal, so nobody can be asked. Nothing was done. "
            "Give --yes."
        )
    print(f"{question}? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a command's output
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
